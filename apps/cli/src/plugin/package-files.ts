import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { UsageError } from '../exit-codes';
import type { Manifest } from './plugin-folder';

export interface PackedFile { path: string; content: Buffer; isExecutable: boolean }
export interface PackedPlugin { tgz: Buffer; digest: string; files: PackedFile[]; unpackedBytes: number }

/** What hosts take unless configured otherwise (RIVULET_PLUGINS_PACKAGE_BYTES_MAX and the two after it). */
const LIMITS = { tgzBytesMax: 8 * 1024 * 1024, unpackedBytesMax: 64 * 1024 * 1024, filesMax: 5_000 };
/** What npm writes: the same files are the same package whenever and wherever it is made. */
const MTIME = new Date('1985-10-26T08:15:00.000Z');
/** Byte of a gzip header that names the system it was made on; 255: unknown. */
const GZIP_OS = 9;
/** What every host gives to a CommonJS plugin. */
const PROVIDED = ['@rivulet/plugin-sdk', 'zod'];
const LISTED_BYTES_MAX = 64 * 1024 * 1024;

/** The files that `npm pack` would take, as a .tgz. @throws UsageError */
export async function packPlugin(folder: string): Promise<PackedPlugin> {
  const files = (await listed(folder)).sort((a, b) => (a < b ? -1 : 1)).map((name): PackedFile => {
    const full = path.join(folder, ...name.split('/'));
    return { path: name, content: readFileSync(full), isExecutable: (statSync(full).mode & 0o111) !== 0 };
  });
  const unpackedBytes = files.reduce((sum, { content }) => sum + content.length, 0);
  if (files.length > LIMITS.filesMax) throw tooLarge(`it has ${files.length} files, more than ${LIMITS.filesMax}`, files);
  if (unpackedBytes > LIMITS.unpackedBytesMax) throw tooLarge(`unpacked it has ${unpackedBytes} bytes, more than ${LIMITS.unpackedBytesMax}`, files);
  const tgz = await tgzOf(files);
  if (tgz.length > LIMITS.tgzBytesMax) throw tooLarge(`it has ${tgz.length} bytes, more than ${LIMITS.tgzBytesMax}`, files);
  return { tgz, digest: createHash('sha256').update(tgz).digest('hex'), files, unpackedBytes };
}

function tooLarge(why: string, files: readonly PackedFile[]): UsageError {
  const largest = [...files].sort((a, b) => b.content.length - a.content.length)[0];
  return new UsageError(`The package is larger than hosts take: ${why}. The largest is ${largest?.path}; leave it out with "files" in package.json.`);
}

/** npm's own rules for `files`, .npmignore and bundleDependencies. Nothing of the plugin is run. */
async function listed(folder: string): Promise<string[]> {
  try {
    const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts', '--no-update-notifier'], {
      cwd: folder, maxBuffer: LISTED_BYTES_MAX, shell: process.platform === 'win32',
    });
    const [{ files = [] } = {}] = JSON.parse(stdout) as { files?: { path: string }[] }[];
    // An earlier package of it, beside its sources.
    return files.map((file) => file.path).filter((name) => !/^[^/]+\.tgz$/.test(name));
  } catch (error) {
    const { code, message, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
    if (code === 'ENOENT') throw new UsageError('npm says which files are in a package, and is not found. Install it, or put it on the PATH.');
    throw new UsageError(`npm pack cannot list the files of ${folder}: ${(stderr ?? '').trim() || message}`);
  }
}

async function tgzOf(files: readonly PackedFile[]): Promise<Buffer> {
  const tar = pack();
  for (const { path: name, content, isExecutable } of files) {
    tar.entry({ name: `package/${name}`, mode: isExecutable ? 0o755 : 0o644, mtime: MTIME, uid: 0, gid: 0 }, content);
  }
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const part of tar) parts.push(part as Buffer);
  const tgz = gzipSync(Buffer.concat(parts), { level: 9 });
  tgz[GZIP_OS] = 255;
  return tgz;
}

/** What a host will not do for it. */
export function warningsOf({ dependencies, scripts }: Manifest, files: readonly PackedFile[]): string[] {
  const has = (pattern: RegExp): boolean => files.some(({ path: name }) => pattern.test(name));
  const absent = dependencies.filter((name) => !PROVIDED.includes(name) && !files.some((file) => file.path.startsWith(`node_modules/${name}/`)));
  const scripted = ['preinstall', 'install', 'postinstall'].filter((name) => scripts[name] !== undefined);
  return [
    ...(absent.length > 0 ? [`${absent.join(', ')}: in dependencies and not in the package. Hosts install nothing: name it in bundleDependencies, or bundle it into main.`] : []),
    ...(scripted.length > 0 || has(/(^|\/)binding\.gyp$/) ? [`${scripted.join(', ') || 'binding.gyp'}: hosts run no scripts and build nothing. What they make must be in the package.`] : []),
    ...(has(/\.node$/) ? ['It has native code (.node): it runs only on hosts of the platform and Node it was built for.'] : []),
  ];
}
