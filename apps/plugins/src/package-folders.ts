import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { PackedFile, PluginPackage } from './package-file';
import { readPackageJson } from './package-json';

/** Nobody writes here once it is unpacked; everybody reads, for plugins run as a user of their own. */
const FOLDER_MODE = 0o555;
const modeOf = (isExecutable: boolean): number => (isExecutable ? 0o555 : 0o444);
const TEMPORARY = '.new-';

interface Place { name: string; version: string; digest: string }

/** SHA-256 over paths, modes and contents: what a folder must have when it is what was installed. Whatever else lies in it counts too. */
export function treeOf(files: ReadonlyMap<string, PackedFile>): string {
  const hash = createHash('sha256');
  for (const name of [...files.keys()].sort()) {
    const { content, isExecutable } = files.get(name)!;
    hash.update(`${name}\0${modeOf(isExecutable)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/**
 * The unpacked packages of this host: a cache of the log, in a folder of its own. A package is written under another name and then renamed,
 * so that what is found under its own name is whole, or was damaged later.
 */
export class PackageFolders {
  constructor(readonly root: string) {}

  placeOf({ name, version, digest }: Place): string {
    return path.join(this.root, `${name}-${version}-${digest.slice(0, 16)}`);
  }

  /** @throws Error with what to do about it, when nothing can be kept here */
  prepare(): void {
    const made = mkdirSync(this.root, { recursive: true });
    // Whatever the umask: plugins run as another user, and must get here.
    for (let folder = this.root; made !== undefined && folder.length >= made.length; folder = path.dirname(folder)) {
      chmodSync(folder, 0o755);
    }
    const uid = process.getuid?.();
    // In a folder of somebody else's, what was verified may be another thing when it is loaded.
    for (const [folder, users] of [[this.root, [uid]], [path.dirname(this.root), [uid, 0]]] as const) {
      const facts = lstatSync(folder);
      if (facts.isDirectory() && (uid === undefined || users.includes(facts.uid))) continue;
      throw new Error(`${folder} is not a folder of the user ${uid} that the host runs as`);
    }
    chmodSync(this.root, 0o755);
    for (const name of readdirSync(this.root)) if (name.startsWith(TEMPORARY)) this.remove(path.join(this.root, name));
  }

  /** Replaces what is there. @returns the folder */
  unpack(place: Place, found: PluginPackage): string {
    const folder = this.placeOf(place);
    const temporary = this.write(found);
    this.remove(folder);
    renameSync(temporary, folder);
    return folder;
  }

  /** @returns a folder for the time of a trial */
  unpackForTrial(found: PluginPackage): string {
    return this.write(found);
  }

  removeTrial(folder: string): void {
    this.remove(folder);
  }

  /** Whether a folder has exactly these files. A missing folder has not. */
  isWhole(place: Place, tree: string): boolean {
    try {
      const folder = this.placeOf(place);
      return (lstatSync(folder).mode & 0o777) === FOLDER_MODE && treeOf(readTree(folder)) === tree;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      return false;
    }
  }

  exists(place: Place): boolean {
    return lstatSync(this.placeOf(place), { throwIfNoEntry: false }) !== undefined;
  }

  /** The file to load, of a package that is whole. */
  mainOf(place: Place): string {
    return path.posix.normalize(readPackageJson(readFileSync(path.join(this.placeOf(place), 'package.json'), 'utf8')).main);
  }

  /** Of sizes, times and modes, for a look that is cheap: what has changed is read again. */
  markOf(place: Place): string {
    const hash = createHash('sha256');
    const note = (one: string): void => {
      const facts = lstatSync(one, { throwIfNoEntry: false });
      hash.update(facts ? `${one}\0${facts.size}\0${facts.mtimeMs}\0${facts.ctimeMs}\0${facts.mode}\0` : `${one}\0gone\0`);
      if (facts?.isDirectory()) for (const name of namesIn(one)) note(path.join(one, name));
    };
    note(this.placeOf(place));
    return hash.digest('hex');
  }

  /** Removes what is none of these. */
  keepOnly(places: readonly Place[]): void {
    if (!lstatSync(this.root, { throwIfNoEntry: false })) return;
    const kept = new Set(places.map((place) => path.basename(this.placeOf(place))));
    for (const name of readdirSync(this.root)) if (!kept.has(name) && !name.startsWith(TEMPORARY)) this.remove(path.join(this.root, name));
  }

  private write({ files }: PluginPackage): string {
    const temporary = path.join(this.root, `${TEMPORARY}${randomBytes(8).toString('hex')}`);
    const folders = new Set<string>([temporary]);
    mkdirSync(temporary, { mode: 0o755 });
    for (const [name, { content, isExecutable }] of files) {
      const file = path.join(temporary, ...name.split('/'));
      for (let parent = path.dirname(file); !folders.has(parent); parent = path.dirname(parent)) folders.add(parent);
      mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 });
      writeFileSync(file, content, { flag: 'wx' });
      // Not by the mode of the write, which the umask of the process takes bits from.
      chmodSync(file, modeOf(isExecutable));
    }
    for (const one of folders) chmodSync(one, FOLDER_MODE);
    return temporary;
  }

  private remove(folder: string): void {
    // A folder that may not be written to cannot be emptied by a host that is not root.
    const open = (one: string): void => {
      if (!lstatSync(one, { throwIfNoEntry: false })?.isDirectory()) return;
      chmodSync(one, 0o755);
      for (const name of readdirSync(one)) open(path.join(one, name));
    };
    open(folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Empty for one that may not be read: that is a difference, too. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function readTree(folder: string, inside = '', files = new Map<string, PackedFile>()): Map<string, PackedFile> {
  for (const entry of readdirSync(path.join(folder, inside), { withFileTypes: true })) {
    const name = inside === '' ? entry.name : `${inside}/${entry.name}`;
    const full = path.join(folder, name);
    const mode = lstatSync(full).mode & 0o777;
    if (entry.isDirectory()) {
      readTree(folder, name, files);
      // A mode that is not ours is damage: it stands for itself, as a file that no package has.
      if (mode !== FOLDER_MODE) files.set(`${name}/`, { content: Buffer.alloc(0), isExecutable: false });
    } else if (!entry.isFile() || (mode !== modeOf(true) && mode !== modeOf(false))) {
      files.set(`${name}\0`, { content: Buffer.alloc(0), isExecutable: false });
    } else files.set(name, { content: readFileSync(full), isExecutable: mode === modeOf(true) });
  }
  return files;
}
