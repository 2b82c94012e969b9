import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import pino from 'pino';
import { eventually } from '../../../test/support/eventually';
import { PluginFolder } from '../../../test/support/plugin-folder';
import { CHILD } from '../../../test/support/plugin-system';
import { readPluginsConfig } from './config';
import type { PluginHost } from './plugin-host';
import { PluginSet } from './plugin-set';

let folder: PluginFolder;
let plugins: PluginSet;

function start(settings: Record<string, string> = {}): void {
  const config = readPluginsConfig({
    RIVULET_LOG: 'memory', RIVULET_PLUGINS_SHIPPED: ' ', RIVULET_PLUGINS_DIR: folder.path, RIVULET_PLUGINS_RELOAD_MS: '50', RIVULET_PLUGINS_RESTART_MS: '30',
    RIVULET_PLUGINS_PING_MS: '50', RIVULET_PLUGINS_HUNG_MS_MAX: '60000', RIVULET_PLUGINS_CRASH_WINDOW_MS: '3000', RIVULET_PLUGINS_CRASHES_MAX: '3', ...settings,
  });
  plugins = new PluginSet(config, CHILD, pino({ level: 'silent' }));
  plugins.start();
}
const host = (name: string): PluginHost => plugins.host(name)!;
const shown = (name: string): unknown[] => [host(name)?.state, host(name)?.fault];
const becomes = (name: string, state: string): Promise<void> =>
  eventually(() => expect(shown(name)).toMatchObject([state, expect.anything()]));
const runs = (name: string): Promise<void> => eventually(() => expect(shown(name)).toEqual(['running', null]));
const ECHO = `hooks: { async route(ctx, { body }) { return { body: { uid: process.getuid(), env: Object.keys(process.env), body } }; } }`;

beforeEach(() => { folder = new PluginFolder(); });
afterEach(() => {
  plugins.close();
  folder.remove();
});

test('[PLUGIN-2] a plugin never runs as root, and sees nothing of the host\'s environment', async () => {
  process.env['RIVULET_TEST_SECRET'] = 'x';
  folder.write('who', ECHO);
  start();
  await runs('who');
  delete process.env['RIVULET_TEST_SECRET'];
  const { body } = await host('who').running!.hook('route', {}, 60_000) as { body: { uid: number; env: string[] } };
  expect(body.uid).toBe(process.getuid!() === 0 ? 65_534 : process.getuid!());
  expect(body.env.filter((name) => name.startsWith('RIVULET') || name === 'HOME')).toEqual([]);
});

test('[PLUGIN-2] a plugin that hangs is killed and started again; the one beside it notices nothing', async () => {
  folder.write('calm', ECHO);
  folder.write('hangs', `hooks: { async route(ctx, { body }) { if (body === 'hang') for (;;); return { body: 'fine' }; } }`);
  // Long enough that one which only waits for its turn of a core is not taken for one that hangs.
  start({ RIVULET_PLUGINS_HUNG_MS_MAX: '3000' });
  await Promise.all([runs('calm'), runs('hangs')]);
  const { pid } = host('calm');
  const before = host('hangs').pid;
  await expect(host('hangs').running!.hook('route', { body: 'hang' }, 120_000)).rejects.toMatchObject({ code: 'PLUGIN_CRASHED', message: expect.stringContaining('answered no ping') });
  await eventually(() => expect([host('hangs').state, host('hangs').pid === before]).toEqual(['running', false]));
  expect(await host('hangs').running!.hook('route', { body: 'go' }, 60_000)).toEqual({ body: 'fine' });
  expect([host('calm').pid, host('calm').restarts]).toEqual([pid, 0]);
});

test('a plugin that loads for longer than it may hang is waited for', async () => {
  folder.write('heavy', ECHO, '1.0.0', `for (const until = Date.now() + 1_500; Date.now() < until;);`);
  start({ RIVULET_PLUGINS_HUNG_MS_MAX: '300' });
  await runs('heavy');
  expect(host('heavy').restarts).toBe(0);
});

test('a plugin that answers is not taken for one that hangs when it is the host that stood still', async () => {
  folder.write('calm', ECHO);
  start({ RIVULET_PLUGINS_HUNG_MS_MAX: '1000' });
  await runs('calm');
  const { pid } = host('calm');
  // As a pause of the machine: no timer fires, nothing is read. After an immediate timers are what comes next, before anything is read.
  await new Promise((resolve) => setImmediate(resolve));
  for (const until = performance.now() + 2_500; performance.now() < until;);
  expect(await host('calm').running!.hook('route', {}, 60_000)).toMatchObject({ body: {} });
  expect([host('calm').pid, host('calm').restarts]).toEqual([pid, 0]);
});

test('a plugin beyond its heap ends alone', async () => {
  folder.write('eats', `limits: { memoryMb: 40 }, hooks: { async route() { const all = []; for (;;) all.push(new Array(10000).fill(Math.random())); } }`);
  start();
  await runs('eats');
  await expect(host('eats').running!.hook('route', {}, 120_000)).rejects.toMatchObject({ code: 'PLUGIN_CRASHED' });
  await runs('eats');
});

test('one that crashes again and again is left alone for a while: CRASH_LOOP with the next try, and healed by a new version', async () => {
  folder.write('loops', ECHO, '1.0.0', `setTimeout(() => { console.log('about to die'); process.exit(7); }, 20);`);
  start();
  await becomes('loops', 'CRASH_LOOP');
  const { fault } = host('loops');
  expect(fault).toMatchObject({ detail: expect.stringContaining('exited with code 7'), remedy: expect.stringContaining('tried again at') });
  expect(fault!.detail).toContain('about to die');
  expect(fault!.nextAt! - Date.now()).toBeGreaterThan(500);
  folder.write('loops', ECHO, '1.0.1');
  await runs('loops');
  expect(host('loops').version).toBe('1.0.1');
});

test('a syntax error is START_FAILED with its place, and healed by saving the file', async () => {
  const broken = folder.write('typo', 'hooks: { async route() { return {');
  start();
  await becomes('typo', 'START_FAILED');
  expect(host('typo').fault).toMatchObject({ detail: expect.stringMatching(/typo\/index\.js[\s\S]*SyntaxError/) });
  expect(broken).toBe(path.join(folder.path, 'typo'));
  folder.write('typo', ECHO);
  await runs('typo');
});

test('a file that the plugin\'s user may not read is FILE_NOT_READABLE with the command that mends it, and that command does', async () => {
  const file = path.join(folder.write('locked', ECHO), 'index.js');
  chmodSync(file, 0o200);
  start();
  await becomes('locked', 'FILE_NOT_READABLE');
  expect(host('locked').fault).toMatchObject({ remedy: `Run: chmod o+rX ${file}`, detail: expect.stringContaining(`${file} (mode 0200, owner ${process.getuid!()}:`) });
  chmodSync(file, 0o204 | 0o400);
  await runs('locked');
});

test('a configuration that does not fit names its field; secrets of it are in no log and no fault', async () => {
  const config = `config: z.object({ key: secret(z.string()), model: z.string() }), `;
  folder.write('keyed', `${config} hooks: { async route(ctx) { console.error('key is ' + ctx.config.key + ' for ' + ctx.config.model); ctx.log('again', { key: ctx.config.key }); return {}; } }`);
  start({ RIVULET_PLUGINS_CONFIG: JSON.stringify({ keyed: { key: 'very-secret-value' } }) });
  await becomes('keyed', 'CONFIG_INVALID');
  expect(host('keyed').fault).toMatchObject({ field: 'model', remedy: expect.stringContaining('field model of keyed') });
  plugins.close();
  start({ RIVULET_PLUGINS_CONFIG: JSON.stringify({ keyed: { key: 'very-secret-value', model: 'large' } }) });
  await runs('keyed');
  await host('keyed').running!.hook('route', {}, 60_000);
  await eventually(() => expect(host('keyed').log.newest(10).map(({ line }) => line).sort()).toEqual(['again {"key":"[redacted]"}', 'key is [redacted] for large']));
});

test.each([
  ['brings its own SDK', ''], ['uses the SDK of the host', 'module.exports = require("@rivulet/plugin-sdk").definePlugin(module.exports);'],
])('a plugin for another api that %s says so', async (_, wrapped) => {
  const place = folder.write('future', ECHO);
  writeFileSync(path.join(place, 'index.js'), `module.exports = { name: 'future', version: '3.0.0', api: 9, config: {}, hooks: { anew() {} } }; ${wrapped}`);
  start();
  await becomes('future', 'API_INCOMPATIBLE');
  expect(host('future').fault!.detail).toBe('The plugin speaks api 9, this host speaks 1.');
});

test('whatever else is in the folder is shown too, and goes when it is removed', async () => {
  writeFileSync(path.join(folder.path, 'notes.txt'), 'hello');
  writeFileSync(path.join(folder.path, 'single.mjs'), `export default { name: 'single', version: '1.0.0', api: 1, config: { safeParse: () => ({ success: true, data: {} }) }, hooks: {} };`);
  start();
  expect(plugins.ownOf('notes.txt').fault).toMatchObject({ code: 'START_FAILED', remedy: `Mend it, or remove it: rm -r ${folder.path}/notes.txt` });
  await runs('single');
  for (let n = 0; n < 200; n += 1) writeFileSync(path.join(folder.path, `zz-${n}.txt`), '');
  await eventually(() => expect(plugins.ownOf('(folder)').fault?.detail).toContain('has 202 entries'));
  for (let n = 0; n < 200; n += 1) rmSync(path.join(folder.path, `zz-${n}.txt`));
  rmSync(path.join(folder.path, 'notes.txt'));
  await eventually(() => expect(plugins.own().map(({ name }) => name)).toEqual(['single']));
});

test('the host outlives what no plugin should send, and endless lines', async () => {
  folder.write('rude', `hooks: { async route(ctx, { body }) {
    if (body === 'lines') { process.stdout.write('x'.repeat(5_000_000)); return {}; }
    process.send({ type: 'loaded', facts: 1 }); await pause(5000);
  } }`);
  start();
  await runs('rude');
  await host('rude').running!.hook('route', { body: 'lines' }, 60_000);
  expect(host('rude').log.newest(100).every(({ line }) => line.length <= 2_048)).toBe(true);
  await expect(host('rude').running!.hook('route', { body: 'nonsense' }, 60_000)).rejects.toMatchObject({ message: expect.stringContaining('sent what is no message of a plugin') });
  await runs('rude');
});
