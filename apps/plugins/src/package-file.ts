import { createHash } from 'node:crypto';
import path from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import type { Header } from 'tar-stream';
import { PLUGIN_NAME, PLUGIN_VERSION, readPackageJson } from './package-json';
import type { PackageFacts } from './package-json';

export interface PackageLimits { filesMax: number; unpackedBytesMax: number }
export interface PackedFile { content: Buffer; isExecutable: boolean }
export interface PluginPackage extends PackageFacts {
  /** By path inside of the plugin's folder, with `/`. */
  files: ReadonlyMap<string, PackedFile>;
  unpackedBytes: number;
}

/** What is wrong with a package; the message says what to do. */
export class PackageProblem extends Error {}

const PATH_LENGTH_MAX = 512;
const NAME_LENGTH_MAX = 255;

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/**
 * A .tgz as `npm pack` makes it, read into memory: nothing of it is written or run here. Only files: whatever could reach out of the
 * plugin's folder (links, devices, absolute paths, `..`) refuses the whole package.
 * @throws PackageProblem
 */
export async function readPackage(tgz: Buffer, limits: PackageLimits): Promise<PluginPackage> {
  if (tgz[0] !== 0x1f || tgz[1] !== 0x8b) throw new PackageProblem('This is not a .tgz: it does not start as gzip does. Make one with `npm pack`.');
  const packed = await filesIn(tgz, limits);
  const root = rootOf([...packed.keys()]);
  const files = new Map<string, PackedFile>();
  for (const [name, file] of packed) {
    if (!name.startsWith(root)) throw new PackageProblem(`${shown(name)} lies outside of ${root}, where package.json is.`);
    files.set(name.slice(root.length), file);
  }
  checkFolders([...files.keys()]);
  const facts = factsOf(files);
  return { ...facts, files, unpackedBytes: [...files.values()].reduce((bytes, { content }) => bytes + content.length, 0) };
}

async function filesIn(tgz: Buffer, { filesMax, unpackedBytesMax }: PackageLimits): Promise<Map<string, PackedFile>> {
  const files = new Map<string, PackedFile>();
  const gunzip = createGunzip();
  const tar = extract();
  // By hand and not `pipeline`, whose callback would hide which of the two has failed: a cut .tgz fails in gunzip.
  gunzip.on('error', (error) => tar.destroy(error));
  Readable.from([tgz]).pipe(gunzip).pipe(tar);
  let bytes = 0;
  let entries = 0;
  try {
    for await (const entry of tar) {
      const { name, type, size = 0, mode = 0 } = entry.header;
      if (++entries > filesMax) throw new PackageProblem(`It has more than ${filesMax} files and folders (RIVULET_PLUGINS_PACKAGE_FILES_MAX).`);
      const place = placeOf(entry.header);
      if (type === 'directory') {
        entry.resume();
        continue;
      }
      if (type !== 'file' && type !== 'contiguous-file') throw new PackageProblem(`${shown(name)} is a ${type}; a package may have files and folders only.`);
      if (files.has(place)) throw new PackageProblem(`${shown(name)} is in the package twice.`);
      bytes += size;
      // Before it is read: what a header announces is what the parser hands out.
      if (bytes > unpackedBytesMax) throw new PackageProblem(`Unpacked it is larger than ${unpackedBytesMax} bytes (RIVULET_PLUGINS_UNPACKED_BYTES_MAX).`);
      const parts: Buffer[] = [];
      for await (const part of entry) parts.push(part as Buffer);
      files.set(place, { content: Buffer.concat(parts), isExecutable: (mode & 0o111) !== 0 });
    }
  } catch (error) {
    if (error instanceof PackageProblem) throw error;
    throw new PackageProblem(`It cannot be unpacked: ${(error as Error).message}.`);
  } finally {
    gunzip.destroy();
  }
  return files;
}

/** @throws PackageProblem for a path that leads, or may lead, anywhere but down */
function placeOf({ name: given, type }: Header): string {
  // As `tar czf x.tgz .` names what it packs.
  const name = given.replace(/^\.\//, '').replace(type === 'directory' ? /\/$/ : /$^/, '');
  if (type === 'directory' && (name === '' || name === '.')) return '';
  const segments = name.split('/');
  const isSafe = name.length <= PATH_LENGTH_MAX && !/[\0\\]/.test(name)
    && segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..' && Buffer.byteLength(segment) <= NAME_LENGTH_MAX);
  if (!isSafe) throw new PackageProblem(`The path ${shown(given)} is not taken: it must lead down from the top, at most ${PATH_LENGTH_MAX} characters.`);
  return name;
}

/** `npm pack` puts everything into one folder, `package/`; others put nothing around it. */
function rootOf(names: string[]): string {
  if (names.includes('package.json')) return '';
  const within = names.filter((name) => /^[^/]+\/package\.json$/.test(name));
  if (within.length !== 1) throw new PackageProblem('It has no package.json at its top. Make it with `npm pack`.');
  return within[0]!.slice(0, -'package.json'.length);
}

function checkFolders(names: string[]): void {
  const files = new Set(names);
  for (const name of names) {
    const parents = name.split('/').slice(0, -1).map((_, index, all) => all.slice(0, index + 1).join('/'));
    const both = parents.find((parent) => files.has(parent));
    if (both !== undefined) throw new PackageProblem(`${shown(both)} is both a file and a folder.`);
  }
}

function factsOf(files: ReadonlyMap<string, PackedFile>): PackageFacts {
  let facts: PackageFacts;
  try {
    facts = readPackageJson(files.get('package.json')!.content.toString('utf8'));
  } catch (error) {
    throw new PackageProblem(`Its package.json cannot be used: ${(error as Error).message}.`);
  }
  const { name, version } = facts;
  const main = path.posix.normalize(facts.main);
  if (!PLUGIN_NAME.test(name)) throw new PackageProblem(`${shown(name)} cannot be the name of a plugin: 1 to 64 of a-z 0-9 -.`);
  if (!PLUGIN_VERSION.test(version)) throw new PackageProblem(`${shown(version)} cannot be the version of a plugin: give package.json one such as 1.0.0.`);
  if (!files.has(main)) throw new PackageProblem(`package.json names ${shown(facts.main)} as its main, which is not in the package. Build before you pack.`);
  return { name, version, main };
}

const shown = (text: string): string => JSON.stringify(text.slice(0, 120));
