import { rmSync } from 'node:fs';
import { CliProcess, runCli } from '../../../../test/support/cli-process';
import { eventually } from '../../../../test/support/eventually';
import { PluginFolder } from '../../../../test/support/plugin-folder';
import { startPluginSystem } from '../../../../test/support/plugin-system';
import type { PluginHostUnderTest, PluginSystem } from '../../../../test/support/plugin-system';

const SAYS = `config: z.object({ key: secret(z.string()) }), hooks: { async receive(ctx, { input }, stream) { ctx.log(input + ' with ' + ctx.config.key); } }`;
// Each call is a process of its own.
let system: PluginSystem;
let folder: PluginFolder;
let hosts: [PluginHostUnderTest, PluginHostUnderTest];
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  folder = new PluginFolder();
  folder.write('says', SAYS);
  folder.write('wants', `config: z.object({ url: z.string() }), hooks: {}`);
  system = await startPluginSystem();
  const settings = { RIVULET_PLUGINS_DIR: folder.path, RIVULET_PLUGINS_CONFIG: '{"says":{"key":"hush-hush"}}' };
  hosts = [await system.addHost({ ...settings, RIVULET_PLUGINS_HOST_NAME: 'one' }), await system.addHost({ RIVULET_PLUGINS_HOST_NAME: 'two' })];
  env = { RIVULET_URL: hosts[0].url, RIVULET_TOKEN: system.key };
});
afterAll(async () => {
  await system.stop();
  folder.remove();
});
const cli = (...args: string[]) => runCli(['plugin', ...args], { env });

const TABLE = [
  'PLUGIN +VERSION +HOST +RESTARTS +STATE', 'says +1\\.0\\.0 +one +0 +running', 'says +- +two +0 +MISSING_ON_HOST', 'wants +1\\.0\\.0 +one +\\d+ +CONFIG_INVALID',
  '!!  says on two: MISSING_ON_HOST: one runs says 1\\.0\\.0; two does not have it\\.', '    remedy: Copy says',
].join('\n');

test('status shows every plugin on every host, each fault with its remedy, and ends with 1', async () => {
  await eventually(async () => expect(await cli('status')).toMatchObject({ code: 1, stdout: expect.stringMatching(new RegExp(`^${TABLE}`)) }));
  const rows = (await cli('status', '--json', 'wants')).stdout.trim().split('\n').map((line) => JSON.parse(line) as object);
  expect(rows).toMatchObject([{ host: 'one', plugin: 'wants', fault: { code: 'CONFIG_INVALID', remedy: expect.stringContaining('url') } }]);
  expect(await cli('status', 'nobody')).toMatchObject({ code: 1, stderr: expect.stringContaining('PLUGIN_NOT_FOUND: No host has a plugin nobody.') });
  expect(await runCli(['plugin', 'status', '--url', system.url], { env })).toMatchObject({ code: 1, stderr: expect.stringContaining('No plugin host answers at') });
});

test('status --watch says what changes, until Ctrl-C', async () => {
  const extra = folder.write('extra', 'hooks: {}');
  const watch = new CliProcess(['plugin', 'status', '--watch', '--json', 'extra'], { env });
  await eventually(() => expect(watch.stdout).toMatch(/"host":"one".*"state":"running"/));
  const before = watch.stdout.length;
  folder.write('extra', '', '1.0.0', 'throw new Error("broken on purpose");');
  await eventually(() => expect(watch.stdout.slice(before)).toMatch(/START_FAILED.*broken on purpose/));
  watch.child.kill('SIGINT');
  expect((await watch.end).code).toBe(130);
  rmSync(extra, { recursive: true });
});

test('logs shows what a plugin printed, and with -f what it prints, each line once, secrets taken out', async () => {
  expect(await cli('logs', 'says')).toMatchObject({ code: 0, stdout: '', stderr: 'no lines yet\n' });
  const follow = new CliProcess(['plugin', 'logs', '-f', '--json', 'says'], { env });
  const ask = async (input: string) => expect(await hosts[0].ask('says', { input })).toMatchObject({ status: 202 });
  const lines = () => follow.stdout.trim().split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as { host: string; line: string });
  await ask('first');
  await eventually(() => expect(lines()).toHaveLength(1));
  await Promise.all(Array.from({ length: 20 }, (_, n) => ask(`number ${n}`)));
  await eventually(() => expect(lines()).toHaveLength(21));
  follow.child.kill('SIGINT');
  expect((await follow.end).code).toBe(130);
  expect(new Set(lines().map(({ line }) => line)).size).toBe(21);
  expect(lines()[0]).toMatchObject({ host: 'one', line: 'first with [redacted]' });
  expect((await cli('logs', '--lines', '2', 'says')).stdout).toMatch(/^\d{4}-\S+Z {2}number \d+ with \[redacted\]\n\S+ {2}number \d+ with \[redacted\]\n$/);
});

test('logs of a host that does not answer there, and of a plugin that nobody has, say so', async () => {
  expect(await cli('logs', '--host', 'two', 'says')).toMatchObject({ code: 1, stderr: expect.stringMatching(/leads to one, not to two\. Give the --url of that host/) });
  expect(await cli('logs', 'nobody')).toMatchObject({ code: 1, stderr: expect.stringContaining('PLUGIN_NOT_FOUND') });
  expect((await runCli(['plugin', 'logs', 'says'], { env: { ...env, RIVULET_TOKEN: 'rk_no_no' } })).code).toBe(4);
});
