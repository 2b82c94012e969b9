import { createHash } from 'node:crypto';
import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

export interface UnreadablePlace { path: string; mode: string; owner: string }

const ENTRIES_MAX = 5_000;

/** The files a plugin consists of, sorted; what it depends on (node_modules) is not looked through. */
export function filesOf(folder: string, file: string): string[] {
  if (folder === file) return [file];
  const found: string[] = [];
  const walk = (inside: string): void => {
    for (const entry of readdirSync(inside, { withFileTypes: true })) {
      if (entry.name === 'node_modules' || entry.name.startsWith('.')) continue;
      if (found.length >= ENTRIES_MAX) throw new Error(`${folder} has more than ${ENTRIES_MAX} files`);
      const full = path.join(inside, entry.name);
      if (entry.isDirectory()) walk(full);
      else found.push(full);
    }
  };
  walk(folder);
  return found.sort();
}

/** SHA-256 over names and contents: the same on two hosts iff they have the same plugin. */
export function digestOf(folder: string, file: string): string {
  const hash = createHash('sha256');
  for (const one of filesOf(folder, file)) {
    const content = readFileSync(one);
    hash.update(`${path.relative(folder, one)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/** @returns the first place on the way to a plugin's files that this process may not read; null when it may read them all */
export function unreadablePlace(folder: string, file: string): UnreadablePlace | null {
  const parts = path.dirname(folder).split(path.sep);
  const parents = parts.map((_, index) => parts.slice(0, index + 1).join(path.sep) || path.sep);
  const blocked = parents.find((parent) => !isAllowed(parent, constants.X_OK));
  if (blocked !== undefined) return placeOf(blocked);
  if (folder === file) return isAllowed(file, constants.R_OK) ? null : placeOf(file);
  return unreadableWithin(folder);
}

function unreadableWithin(folder: string): UnreadablePlace | null {
  if (!isAllowed(folder, constants.R_OK | constants.X_OK)) return placeOf(folder);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name);
    if (entry.name === 'node_modules' || entry.name.startsWith('.')) continue;
    const place = entry.isDirectory() ? unreadableWithin(full) : isAllowed(full, constants.R_OK) ? null : placeOf(full);
    if (place) return place;
  }
  return null;
}

function isAllowed(place: string, wanted: number): boolean {
  try {
    accessSync(place, wanted);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return false;
    throw error;
  }
}

function placeOf(place: string): UnreadablePlace {
  const { mode, uid, gid } = statSync(place);
  return { path: place, mode: (mode & 0o7777).toString(8).padStart(4, '0'), owner: `${uid}:${gid}` };
}
