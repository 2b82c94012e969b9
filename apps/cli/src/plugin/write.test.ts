import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { CliProcess, runCli } from '../../../../test/support/cli-process';
import { eventually } from '../../../../test/support/eventually';

// Each call is a process of its own, and most of them start all of Rivulet.
const MODULES = path.resolve(__dirname, '..', '..', '..', '..', 'node_modules');
const folder = mkdtempSync(path.join(os.tmpdir(), 'rivulet-write-'));
const plugin = path.join(folder, 'greet');
const index = path.join(plugin, 'index.js');
const env = { HOME: folder };
const cli = (...args: string[]) => runCli(['plugin', ...args], { cwd: folder, env });
let written = '';

beforeAll(async () => {
  // Plugins never run as root: whoever they run as has to get there.
  chmodSync(folder, 0o755);
  expect(await cli('create', 'greet')).toMatchObject({ code: 0, stdout: expect.stringMatching(/package\.json, index\.js[\s\S]*npm install && npm test/) });
  written = readFileSync(index, 'utf8');
});
afterEach(() => writeFileSync(index, written));
afterAll(() => rmSync(folder, { recursive: true }));

test('create makes a plugin whose own test passes as it is', () => {
  // What npm install does, without a registry.
  for (const name of ['@rivulet/client', '@rivulet/plugin-sdk', '@rivulet/standalone', 'zod']) {
    mkdirSync(path.dirname(path.join(plugin, 'node_modules', name)), { recursive: true });
    symlinkSync(path.join(MODULES, name), path.join(plugin, 'node_modules', name));
  }
  const { devDependencies, scripts } = JSON.parse(readFileSync(path.join(plugin, 'package.json'), 'utf8')) as Record<string, Record<string, string>>;
  expect([Object.keys(devDependencies!).sort(), scripts!['test']]).toEqual([
    ['@rivulet/client', '@rivulet/plugin-sdk', '@rivulet/standalone', 'zod'], 'node --test',
  ]);
  expect(execFileSync(process.execPath, ['--test'], { cwd: plugin, encoding: 'utf8', env: { PATH: process.env['PATH'] } })).toMatch(/(#|ℹ) pass 1\b[\s\S]*(#|ℹ) fail 0\b/);
});

test('create writes over nothing, and takes only names that a plugin can have', async () => {
  expect(await cli('create', 'greet')).toMatchObject({ code: 2, stderr: expect.stringContaining('is there already') });
  expect(await cli('create', '../Evil')).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot be the name of a plugin') });
  mkdirSync(path.join(folder, 'empty'));
  expect(await cli('create', 'empty', '--json')).toMatchObject({ code: 0, stdout: expect.stringContaining('"name":"empty"') });
});

test('pack makes the same bytes of the same files whenever and wherever, as tar reads them', async () => {
  const json = async (...args: string[]) => JSON.parse((await cli('pack', '--json', ...args)).stdout) as { digest: string; bytes: number; files: object[] };
  const one = await json('greet');
  utimesSync(index, 1, 1);
  const two = await json('greet', '--no-check', '-o', 'two.tgz');
  const bytes = readFileSync(path.join(folder, 'greet-1.0.0.tgz'));
  expect(readFileSync(path.join(folder, 'two.tgz')).equals(bytes)).toBe(true);
  expect(one).toMatchObject({ name: 'greet', version: '1.0.0', bytes: bytes.length, warnings: [], digest: createHash('sha256').update(bytes).digest('hex') });
  expect(two.digest).toBe(one.digest);
  const listed = execFileSync('tar', ['tzf', 'greet-1.0.0.tgz'], { cwd: folder, encoding: 'utf8' }).trim().split('\n');
  expect(listed).toEqual(['package/README.md', 'package/index.js', 'package/package.json']);
  expect(execFileSync('tar', ['xzOf', 'two.tgz', 'package/index.js'], { cwd: folder, encoding: 'utf8' })).toBe(written);
});

test('pack refuses what no host could load, and says why', async () => {
  const refused = async (text: string, ...says: RegExp[]) => {
    writeFileSync(index, text);
    const { code, stderr } = await cli('pack', 'greet', '-o', 'refused.tgz');
    for (const said of says) expect(stderr).toMatch(said);
    expect([code === 0, existsSync(path.join(folder, 'refused.tgz'))]).toEqual([false, false]);
  };
  await refused(`require('./lib');${written}`, /does not load\. START_FAILED/, /Cannot find module '\.\/lib'/);
  await refused(written.replace('definePlugin({', '({').replace('api: 1', 'api: 7'), /API_INCOMPATIBLE: The plugin speaks api 7/);
  await refused(written.replace('name, version,', `name: 'other', version,`), /found as greet and calls itself other/);
  await refused(written.replace('name, version,', `name, version: '2.0.0',`), /package\.json says version 1\.0\.0, definePlugin says 2\.0\.0/);
  rmSync(index);
  expect(await cli('pack', 'greet')).toMatchObject({ code: 2, stderr: expect.stringContaining('its main, index.js, is not there') });
  expect(await cli('pack', '.')).toMatchObject({ code: 2, stderr: expect.stringContaining('has no package.json') });
});

test('pack warns of what hosts do not do: install, build, and run on another platform', async () => {
  const place = path.join(folder, 'native');
  mkdirSync(path.join(place, 'build'), { recursive: true });
  writeFileSync(path.join(place, 'package.json'), JSON.stringify({ name: 'native', version: '1.0.0', dependencies: { openai: '1.0.0', zod: '3.0.0' }, scripts: { install: 'node-gyp rebuild' } }));
  writeFileSync(path.join(place, 'index.js'), written);
  writeFileSync(path.join(place, 'build', 'x.node'), '');
  const { code, stderr } = await cli('pack', 'native');
  expect([code, stderr.split('\n').filter((line) => line.startsWith('warning: ')).length]).toEqual([0, 3]);
  expect(stderr).toMatch(/openai: in dependencies and not in the package[\s\S]*install: hosts run no scripts[\s\S]*native code/);
  writeFileSync(path.join(place, 'big.bin'), randomBytes(9 * 1024 * 1024));
  expect(await cli('pack', 'native')).toMatchObject({ code: 2, stderr: expect.stringMatching(/larger than hosts take.*The largest is big\.bin/) });
});

test('dev --ask shows the answer and ends; 1 when it fails, with where, and when the plugin does not run, with what to do', async () => {
  expect(await cli('dev', 'greet', '--ask', 'Ada')).toMatchObject({
    code: 0, stdout: 'Hello, Ada!', stderr: expect.stringMatching(/^(?:\.\. {2}greet is loaded\n)?ok {2}greet 1\.0\.0 runs\n {4}greet \| greets \{"who":"Ada"\}\n$/),
  });
  expect(await cli('dev', 'greet', '--ask', '{"no":"name"}')).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('INPUT_INVALID: input must be a name.') });
  writeFileSync(index, written.replace('const who =', 'nonsense(); const who ='));
  expect(await cli('dev', 'greet', '--ask', 'x')).toMatchObject({ code: 1, stderr: expect.stringMatching(/nonsense is not defined\n +at .*index\.js:\d+[\s\S]*The stream is failed \(PLUGIN_FAILED/) });
  writeFileSync(index, written.replace(`.default('Hello')`, ''));
  expect(await cli('dev', 'greet', '--ask', 'x')).toMatchObject({ code: 1, stderr: expect.stringMatching(/!! {2}greet: CONFIG_INVALID: greeting: Required\.\n {4}remedy: Give its configuration: --config/) });
  writeFileSync(path.join(folder, 'config.json'), '{"greeting":"Hi"}');
  expect(await cli('dev', 'greet', '--config', 'config.json', '--ask', 'x')).toMatchObject({ code: 0, stdout: 'Hi, x!' });
});

test('dev runs until Ctrl-C: its curl line works, a change is loaded, a mistake is shown and mended', async () => {
  const dev = new CliProcess(['plugin', 'dev', 'greet'], { cwd: folder, env });
  const line = await eventually(() => /^ask +(.*)$/m.exec(dev.stderr)![1]!);
  const asked = (): string => execFileSync('bash', ['--norc', '-c', line], { encoding: 'utf8' });
  expect(asked()).toBe('Hello, Ada!');
  const saved = async (text: string, shows: RegExp) => {
    const before = dev.stderr.length;
    writeFileSync(index, text);
    await eventually(() => expect(dev.stderr.slice(before)).toMatch(shows));
  };
  await saved(written.replace(`'!'`, `'?'`), /ok {2}greet 1\.0\.0 runs/);
  expect(asked()).toBe('Hello, Ada?');
  await saved(`${written}(`, /!! {2}greet: START_FAILED: [\s\S]*SyntaxError[\s\S]*remedy: Mend what the detail says/);
  await saved(written, /ok {2}greet 1\.0\.0 runs/);
  dev.child.kill('SIGINT');
  expect((await dev.end).code).toBe(130);
});

test('without the standalone there is a way to get it', async () => {
  const place = path.join(folder, 'alone');
  mkdirSync(place);
  const copied = path.join(folder, 'cli');
  execFileSync('cp', ['-r', path.resolve(__dirname, '..', '..'), copied]);
  const modules = path.join(folder, 'node_modules');
  mkdirSync(path.join(modules, '@rivulet'), { recursive: true });
  for (const name of readdirSync(MODULES).filter((one) => one !== '@rivulet')) symlinkSync(path.join(MODULES, name), path.join(modules, name));
  for (const name of ['client', 'log', 'protocol']) symlinkSync(path.join(MODULES, '@rivulet', name), path.join(modules, '@rivulet', name));
  writeFileSync(path.join(place, 'package.json'), JSON.stringify({ name: 'alone', version: '1.0.0' }));
  writeFileSync(path.join(place, 'index.js'), '');
  const run = () => execFileSync(process.execPath, [path.join(copied, 'bin', 'rivulet.js'), 'plugin', 'dev', place], { encoding: 'utf8', stdio: 'pipe' });
  expect(run).toThrow(/npm install --save-dev @rivulet\/standalone/);
  expect(readdirSync(place)).toEqual(['index.js', 'package.json']);
});
