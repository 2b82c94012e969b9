import { gzipSync } from 'node:zlib';
import { packed } from '../../../test/support/plugin-package';
import type { PackedEntry } from '../../../test/support/plugin-package';
import { readPackage } from './package-file';

const LIMITS = { filesMax: 10, unpackedBytesMax: 10_000 };
const json = (over: object = {}): PackedEntry => ({ name: 'package/package.json', content: JSON.stringify({ name: 'p', version: '1.0.0', main: './lib/main.js', ...over }) });
const main: PackedEntry = { name: 'package/lib/main.js', content: 'x' };
const read = async (...entries: PackedEntry[]): ReturnType<typeof readPackage> => readPackage(await packed(entries), LIMITS);

test('a package as npm packs it is read without its outer folder; one without an outer folder as well', async () => {
  const found = await read(json({ name: '@acme/rivulet-plugin-p' }), { name: 'package/lib/', type: 'directory' }, { ...main, mode: 0o755 });
  expect(found).toMatchObject({ name: 'p', version: '1.0.0', main: 'lib/main.js' });
  expect([...found.files].map(([name, { isExecutable }]) => [name, isExecutable])).toEqual([['package.json', false], ['lib/main.js', true]]);
  const flat = await read({ name: './', type: 'directory' }, { ...json(), name: './package.json' }, { ...main, name: './lib/main.js' });
  expect([...flat.files.keys()]).toEqual(['package.json', 'lib/main.js']);
});

test('whatever leads out of the folder refuses the package', async () => {
  for (const name of ['package/../../etc/passwd', '/etc/passwd', 'package/./x', 'package//x', 'package/a\\..\\b', '..', `package/${'x'.repeat(256)}`]) {
    await expect(read(json(), main, { name, content: 'x' })).rejects.toThrow(/The path ".*" is not taken|cannot be unpacked/);
  }
  for (const type of ['symlink', 'link', 'character-device', 'fifo'] as const) {
    await expect(read(json(), main, { name: 'package/other', type, linkname: '/etc/passwd' })).rejects.toThrow(`"package/other" is a ${type}; a package may have files and folders only.`);
  }
  await expect(read(json(), main, { name: 'other/x' })).rejects.toThrow('"other/x" lies outside of package/');
});

test('two entries for one place refuse it', async () => {
  await expect(read(json(), main, main)).rejects.toThrow('"package/lib/main.js" is in the package twice.');
  await expect(read(json(), main, { name: 'package/lib/main.js/x' })).rejects.toThrow('"lib/main.js" is both a file and a folder.');
});

test('too many files, and more bytes than allowed, end the reading before they are held', async () => {
  await expect(read(json(), main, ...Array.from({ length: 10 }, (_, n) => ({ name: `package/${n}` })))).rejects.toThrow('more than 10 files and folders (RIVULET_PLUGINS_PACKAGE_FILES_MAX)');
  await expect(read(json(), main, { name: 'package/big', content: ' '.repeat(10_001) })).rejects.toThrow('larger than 10000 bytes (RIVULET_PLUGINS_UNPACKED_BYTES_MAX)');
});

test('what is no package says what it lacks', async () => {
  await expect(readPackage(Buffer.from('PK'), LIMITS)).rejects.toThrow('This is not a .tgz');
  await expect(readPackage(gzipSync('no tar at all'.repeat(100)), LIMITS)).rejects.toThrow('It cannot be unpacked');
  const whole = await packed([json(), main]);
  await expect(readPackage(whole.subarray(0, whole.length / 2), LIMITS)).rejects.toThrow('It cannot be unpacked');
  await expect(read(main)).rejects.toThrow('It has no package.json at its top.');
  await expect(read({ name: 'package/package.json', content: '{' }, main)).rejects.toThrow('Its package.json cannot be used');
  await expect(read(json({ name: 'Über' }), main)).rejects.toThrow('cannot be the name of a plugin');
  await expect(read(json({ version: 'latest' }), main)).rejects.toThrow('cannot be the version of a plugin');
  await expect(read(json())).rejects.toThrow('package.json names "./lib/main.js" as its main, which is not in the package.');
  await expect(read(json({ main: '../x.js' }), main)).rejects.toThrow('which is not in the package');
});
