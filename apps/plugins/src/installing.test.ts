import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { eventually } from '../../../test/support/eventually';
import { PluginFolder } from '../../../test/support/plugin-folder';
import { packedPlugin } from '../../../test/support/plugin-package';
import { startPluginSystem } from '../../../test/support/plugin-system';
import type { PluginHostUnderTest, PluginSystem } from '../../../test/support/plugin-system';
import type { PluginRow } from './plugin-matrix';

/** Answers with its version and the user it runs as. */
const says = (version: string, top = ''): Promise<Buffer> => packedPlugin('greets', version, `pace: { intervalMs: 0 }, hooks: {
  async receive(ctx, request, stream) { await stream.write('${version} as ' + process.getuid()); },
  async route() { return { body: '${version}' }; } }`, { top });

const KEY = randomBytes(32).toString('base64');
const SECRET = 'a-very-secret-value';
/** Tells what it is configured with. */
const keyed = (version: string): Promise<Buffer> => packedPlugin('greets', version, `config: z.object({ key: secret(z.string()), model: z.string() }), hooks: {
  async route(ctx) { console.log('with ' + ctx.config.key); return { body: ctx.config.model + ' ' + ctx.config.key.length }; } }`);

let system: PluginSystem;
let store: string;
let hosts: PluginHostUnderTest[];

const addHost = async (name: string, settings: Record<string, string> = { RIVULET_PLUGINS_CONFIG_KEY: KEY }): Promise<void> => {
  hosts.push(await system.addHost({ RIVULET_PLUGINS_HOST_NAME: name, RIVULET_PLUGINS_STORE_DIR: store, RIVULET_PLUGINS_ROLLOUT_MS: '1500', RIVULET_PLUGINS_RESTART_MS: '500', ...settings }));
};

beforeAll(async () => {
  system = await startPluginSystem();
});
afterAll(() => system.stop());
beforeEach(async () => {
  store = mkdtempSync(path.join(tmpdir(), 'rivulet-store-'));
  chmodSync(store, 0o755);
  hosts = [];
  for (const name of ['one', 'two', 'three']) await addHost(name);
});
afterEach(async () => {
  await hosts[0]!.call('/v1/admin/plugins/greets', { method: 'DELETE' });
  await Promise.all(hosts.map((host) => host.stop()));
  rmSync(store, { recursive: true, force: true });
});

const install = (tgz: Buffer, host = hosts[0]!): ReturnType<PluginHostUnderTest['call']> =>
  host.call('/v1/admin/plugins/packages', { method: 'POST', body: new Uint8Array(tgz), headers: { 'content-type': 'application/gzip' } });
const rowsAt = async (host: PluginHostUnderTest): Promise<PluginRow[]> =>
  ((await host.call('/v1/admin/plugins')).body as unknown as PluginRow[]).filter(({ plugin }) => plugin === 'greets');
const runEverywhere = (version: string): Promise<void> => eventually(async () => {
  const rows = await rowsAt(hosts.at(-1)!);
  expect(rows.map((row) => [row.state, row.version, row.fault])).toEqual(hosts.map(() => ['running', version, null]));
});

test('[PLUGIN-4] installed once at one host, it runs on all, as no root, and on one that joins later', async () => {
  const answer = await install(await says('1.0.0'));
  expect(answer).toMatchObject({ status: 202, body: { name: 'greets', version: '1.0.0', bytes: expect.any(Number), digest: expect.stringMatching(/^[0-9a-f]{64}$/) } });
  await runEverywhere('1.0.0');
  await addHost('late');
  await runEverywhere('1.0.0');
  const { body } = await hosts.at(-1)!.ask('greets', { input: null });
  const uid = process.getuid!() === 0 ? 65_534 : process.getuid!();
  expect(await system.client.watch(body['streamNo'] as string).text()).toBe(`1.0.0 as ${uid}`);
});

test('the same bytes again are the same answer and write nothing; other bytes under the same version are refused', async () => {
  const tgz = await says('1.0.0');
  const first = await install(tgz);
  const before = hosts[0]!.built.store.desired('greets');
  expect(await install(tgz, hosts[1])).toEqual(first);
  expect(hosts[0]!.built.store.desired('greets')).toEqual(before);
  expect(await install(await says('1.0.0', '// changed'))).toMatchObject({
    status: 409, body: { code: 'PLUGIN_CONFLICT', detail: expect.stringContaining('greets 1.0.0 was installed with other bytes') },
  });
});

test('what cannot run is refused at once, with the reason, and nothing of it is stored', async () => {
  const refused = async (tgz: Buffer, fault: string, detail: string): Promise<void> => {
    expect(await install(tgz)).toMatchObject({ status: 400, body: { code: 'BODY_INVALID', fault, detail: expect.stringContaining(detail) } });
  };
  await refused(await says('1.0.0', 'throw new Error("no way");'), 'START_FAILED', 'Error: no way');
  await refused(await packedPlugin('greets', '1.0.0', 'hooks: {} }); module.exports = { ...module.exports, api: 9 }; ({'), 'API_INCOMPATIBLE', 'The plugin speaks api 9, this host speaks 1.');
  expect(await install(Buffer.from('no package'))).toMatchObject({ status: 400, body: { detail: expect.stringContaining('This is not a .tgz') } });
  expect(await hosts[0]!.call('/v1/admin/plugins/packages', { method: 'POST', body: '{}' })).toMatchObject({ status: 415 });
  expect(hosts[0]!.built.store.desired('greets')?.current ?? null).toBeNull();
  await eventually(async () => expect(await rowsAt(hosts[0]!)).toEqual([]));
});

test('[PLUGIN-4] a copy that was damaged is DIGEST_MISMATCH, fetched again and runs again', async () => {
  await install(await says('1.0.0'));
  await runEverywhere('1.0.0');
  const { folder, file } = hosts[1]!.built.plugins.host('greets')!.source;
  const pid = hosts[1]!.built.plugins.host('greets')!.pid;
  const seen = new Set<string>();
  hosts[1]!.built.plugins.onChange(() => seen.add(hosts[1]!.built.plugins.ownOf('greets').state));
  chmodSync(folder, 0o755);
  chmodSync(file, 0o644);
  writeFileSync(file, 'module.exports = "something else";');
  await eventually(() => expect(hosts[1]!.built.plugins.host('greets')?.pid ?? pid).not.toBe(pid));
  await runEverywhere('1.0.0');
  expect([...seen]).toContain('DIGEST_MISMATCH');
  expect(hosts[1]!.built.plugins.log('greets')!.newest(5).map(({ line }) => line)).toContainEqual(expect.stringContaining('was damaged'));
});

test('[PLUGIN-4] a new version runs on one host first and then on all; a broken one is taken back with its reason, and the old one answers all the while', async () => {
  await install(await says('1.0.0'));
  await runEverywhere('1.0.0');
  const seen = new Set<string>();
  hosts[0]!.built.store.onChange((key) => {
    if (key === 'desired/greets') seen.add(hosts[0]!.built.changes.list().map((row) => `${row.version} ${row.rollout?.version}`).join(''));
  });
  expect(await install(await says('1.1.0'))).toMatchObject({ status: 202 });
  await runEverywhere('1.1.0');
  expect([...seen]).toEqual(['1.0.0 1.1.0', '1.1.0 undefined']);
  expect(await install(await says('1.2.0', 'setTimeout(() => process.exit(3), 50);'))).toMatchObject({ status: 202 });
  const asked: Promise<string>[] = [];
  await eventually(async () => {
    const { status, body } = await hosts[asked.length % 3]!.ask('greets', { input: null });
    expect(status).toBe(202);
    asked.push(system.client.watch(body['streamNo'] as string).text());
    expect(hosts[2]!.built.changes.list()).toMatchObject([{
      version: '1.1.0', rollout: null, refused: { version: '1.2.0', code: 'CRASHED', host: expect.stringMatching(/^(one|two|three)$/) },
    }]);
  });
  await runEverywhere('1.1.0');
  for (const text of await Promise.all(asked)) expect(text).toMatch(/^1\.[12]\.0 as /);
});

test('it is disabled and enabled, rolled back by hand and uninstalled everywhere', async () => {
  await install(await says('1.0.0'));
  await runEverywhere('1.0.0');
  const [one, two] = hosts as [PluginHostUnderTest, PluginHostUnderTest];
  expect(await two.call('/v1/admin/plugins/greets', { method: 'PUT', body: '{"isEnabled":false}' })).toEqual({ status: 200, body: { name: 'greets', isEnabled: false } });
  await eventually(async () => expect((await rowsAt(one)).map(({ state }) => state)).toEqual(['disabled', 'disabled', 'disabled']));
  expect(await one.ask('greets', { input: null })).toMatchObject({ status: 503, body: { code: 'PLUGIN_NOT_RUNNING', state: 'disabled' } });
  await one.call('/v1/admin/plugins/greets', { method: 'PUT', body: '{"isEnabled":true}' });
  await runEverywhere('1.0.0');
  expect(await one.call('/v1/admin/plugins/greets/rollback', { method: 'POST' })).toMatchObject({ status: 409, body: { code: 'PLUGIN_CONFLICT' } });
  await install(await says('1.1.0'));
  await runEverywhere('1.1.0');
  await eventually(async () => expect(await two.call('/v1/admin/plugins/greets/rollback', { method: 'POST' })).toMatchObject({
    status: 200, body: { version: '1.0.0', previous: null, refused: { version: '1.1.0', code: 'ROLLED_BACK' } },
  }));
  await runEverywhere('1.0.0');
  expect(await one.call('/v1/admin/plugins/greets', { method: 'DELETE' })).toMatchObject({ status: 204 });
  await eventually(async () => expect(await rowsAt(two)).toEqual([]));
  expect(await one.call('/v1/admin/plugins/packages')).toEqual({ status: 200, body: [] });
  expect(await one.call('/v1/admin/plugins/greets', { method: 'DELETE' })).toMatchObject({ status: 404, body: { code: 'PLUGIN_NOT_FOUND' } });
});

test('a configuration is checked by the plugin, applied on every host, and its secrets are nowhere in clear', async () => {
  await install(await keyed('1.0.0'));
  const [one, two] = hosts as [PluginHostUnderTest, PluginHostUnderTest];
  await eventually(async () => expect((await rowsAt(two)).map(({ state }) => state)).toEqual(Array(3).fill('CONFIG_INVALID')));
  const put = (host: PluginHostUnderTest, settings: unknown): ReturnType<PluginHostUnderTest['call']> =>
    host.call('/v1/admin/plugins/greets/config', { method: 'PUT', body: JSON.stringify(settings) });
  const wrong = await put(one, { key: SECRET, model: 7 });
  expect(wrong).toMatchObject({ status: 400, body: { code: 'OPTIONS_INVALID', option: 'model', fault: 'CONFIG_INVALID' } });
  expect(await put(one, { key: '[secret]', model: 'small' })).toMatchObject({ status: 400, body: { option: 'key' } });
  const right = await put(one, { key: SECRET, model: 'small' });
  expect(right).toMatchObject({ status: 200, body: { source: 'stored', settings: { key: '[secret]', model: 'small' }, secrets: ['key'], by: 'test' } });
  await runEverywhere('1.0.0');
  const answers = (text: string): Promise<void> => eventually(async () => {
    for (const { built } of hosts) expect(await built.plugins.host('greets')!.running!.hook('route', {}, 5_000)).toEqual({ body: text });
  });
  await answers(`small ${SECRET.length}`);
  // The mask stands for what is stored.
  expect(await put(two, { key: '[secret]', model: 'large' })).toMatchObject({ status: 200 });
  await answers(`large ${SECRET.length}`);
  const shown = await Promise.all(['', '/greets/config', '/greets/logs', '/packages'].map((at) => two.call(`/v1/admin/plugins${at}`)));
  expect(JSON.stringify(shown)).toContain('with [redacted]');
  expect(shown[0]!.body).toEqual(Array(3).fill(expect.objectContaining({ config: 'stored' })));
  const topic = await one.records();
  expect(topic).toContain('"config/greets"');
  const everything = topic + JSON.stringify([wrong, right, ...shown]);
  expect([SECRET, KEY].filter((one) => everything.includes(one))).toEqual([]);
});

test('without a key no secret is stored; a host with another key says which it lacks', async () => {
  await install(await keyed('1.0.0'));
  await addHost('keyless', { RIVULET_PLUGINS_CONFIG_KEY: '' });
  const keyless = hosts.at(-1)!;
  await eventually(() => expect(keyless.built.plugins.source('greets')).toBeDefined());
  const put = (host: PluginHostUnderTest): ReturnType<PluginHostUnderTest['call']> =>
    host.call('/v1/admin/plugins/greets/config', { method: 'PUT', body: JSON.stringify({ key: SECRET, model: 'small' }) });
  expect(await put(keyless)).toMatchObject({ status: 409, body: { code: 'PLUGIN_CONFLICT', option: 'key', detail: expect.stringContaining('RIVULET_PLUGINS_CONFIG_KEY') } });
  const { body } = await put(hosts[0]!);
  await eventually(() => expect(keyless.built.plugins.ownOf('greets').fault).toMatchObject({
    code: 'CONFIG_INVALID', detail: expect.stringContaining(`encrypted with the key ${(body['keyIds'] as string[])[0]}, which this host does not have`),
  }));
});

test('a plugin of the folder that has the name of an installed one is a fault with its remedy, and runs again after it is uninstalled', async () => {
  const folder = new PluginFolder();
  folder.write('greets', 'hooks: {}', '0.9.0');
  await addHost('four', { RIVULET_PLUGINS_DIR: folder.path });
  const four = hosts.at(-1)!;
  await eventually(() => expect(four.built.plugins.ownOf('greets')).toMatchObject({ state: 'running', version: '0.9.0' }));
  await install(await says('1.0.0'));
  await runEverywhere('1.0.0');
  expect(four.built.plugins.ownOf('greets (folder)').fault).toMatchObject({
    code: 'START_FAILED', detail: expect.stringContaining('the installed one runs'), remedy: expect.stringContaining('DELETE /v1/admin/plugins/greets'),
  });
  await four.call('/v1/admin/plugins/greets', { method: 'DELETE' });
  await eventually(() => expect(four.built.plugins.ownOf('greets')).toMatchObject({ state: 'running', version: '0.9.0', fault: null }));
  expect(four.built.plugins.knows('greets (folder)')).toBe(false);
  folder.remove();
});

test('a host that has nowhere to unpack says so with the remedy, and takes no packages; the others run it', async () => {
  const file = path.join(store, 'a-file');
  writeFileSync(file, '');
  await addHost('stuck', { RIVULET_PLUGINS_STORE_DIR: file });
  const stuck = hosts.at(-1)!;
  expect(await install(await says('1.0.0'), stuck)).toMatchObject({ status: 503, body: { code: 'NOT_READY', detail: expect.stringContaining('RIVULET_PLUGINS_STORE_DIR') } });
  await install(await says('1.0.0'));
  await eventually(async () => expect((await rowsAt(stuck)).map(({ host, state }) => `${host} ${state}`)).toEqual(['one running', 'stuck START_FAILED', 'three running', 'two running']));
  expect(stuck.built.plugins.ownOf('greets').fault).toMatchObject({ remedy: expect.stringContaining(`RIVULET_PLUGINS_STORE_DIR (now ${file}`) });
});

test('[PLUGIN-4] the host that tries a version goes away: another tries it, and all run it in the end', async () => {
  await install(await says('1.0.0'));
  await runEverywhere('1.0.0');
  // Slow enough to start that its trial is under way when its host goes.
  await install(await says('1.1.0', 'for (const until = Date.now() + 1500; Date.now() < until;);'));
  const { rollout } = hosts[0]!.built.store.desired('greets')!;
  const gone = hosts.findIndex(({ built }) => built.host === rollout!.host);
  await hosts[gone]!.stop();
  hosts.splice(gone, 1);
  await runEverywhere('1.1.0');
  expect(hosts[0]!.built.store.desired('greets')).toMatchObject({ current: { version: '1.1.0' }, previous: { version: '1.0.0' }, step: 2 });
});
