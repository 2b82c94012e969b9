import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { CliProcess, runCli } from '../../../../test/support/cli-process';
import { eventually } from '../../../../test/support/eventually';
import { startPluginSystem } from '../../../../test/support/plugin-system';
import type { PluginSystem } from '../../../../test/support/plugin-system';

// Each call is a process of its own.
const folder = mkdtempSync(path.join(os.tmpdir(), 'rivulet-install-'));
let system: PluginSystem;
let env: NodeJS.ProcessEnv;
const cli = (...args: string[]) => runCli(['plugin', ...args], { cwd: folder, env });

beforeAll(async () => {
  // Plugins never run as root: whoever they run as has to get to what is installed.
  chmodSync(folder, 0o755);
  system = await startPluginSystem();
  const settings = {
    RIVULET_PLUGINS_ROLLOUT_MS: '500', RIVULET_PLUGINS_CONFIG_KEY: '5'.repeat(64), RIVULET_PLUGINS_STORE_DIR: path.join(folder, 'store'),
    RIVULET_PLUGINS_HUNG_MS_MAX: '60000',
  };
  const [one] = [await system.addHost({ ...settings, RIVULET_PLUGINS_HOST_NAME: 'one' }), await system.addHost({ ...settings, RIVULET_PLUGINS_HOST_NAME: 'two' })];
  env = { RIVULET_URL: one.url, RIVULET_TOKEN: system.key, HOME: folder };
  expect((await cli('create', 'greet')).code).toBe(0);
});
afterAll(async () => {
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A version of the plugin, packed. */
async function packed(version: string, change = (text: string): string => text, ...args: string[]): Promise<string> {
  const [index, manifest] = ['index.js', 'package.json'].map((name) => path.join(folder, 'greet', name)) as [string, string];
  const before = readFileSync(index, 'utf8');
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(/"version": ".*?"/, `"version": "${version}"`));
  writeFileSync(index, change(before));
  expect(await cli('pack', 'greet', ...args)).toMatchObject({ code: 0 });
  writeFileSync(index, before);
  return `greet-${version}.tgz`;
}

test('a package is installed on every host, each shown until it runs; the digest is the one that pack said', async () => {
  const file = await packed('1.0.0');
  const { digest } = JSON.parse((await cli('pack', 'greet', '--json', '--no-check')).stdout) as { digest: string };
  const { code, stdout, stderr } = await cli('install', file);
  expect([code, stdout, stderr]).toEqual([0, 'greet 1.0.0 runs on one, two\n', expect.stringContaining(`digest ${digest}`)]);
  expect(stderr).toMatch(/^ {2}one {2}/m);
  expect(stderr).toMatch(/^ {2}two {2}running 1\.0\.0/m);
  expect(await cli('packages')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^PLUGIN.*\ngreet +1\.0\.0 +- .* enabled\n$/) });
});

test('a newer version that fails is taken back: exit code 1, what was wrong, and what the hosts go on with', async () => {
  const bad = await packed('1.1.0', (text) => `${text}setTimeout(() => { throw new Error('dies soon'); }, 200);\n`);
  const { code, stderr } = await cli('install', bad);
  expect(stderr).toMatch(/1\.1\.0 was taken back, it failed on (?:one|two): [\s\S]*remedy: Mend it.*go on with 1\.0\.0\./);
  expect(code).toBe(1);
  expect((await cli('status', 'greet')).stdout).toMatch(/greet +1\.0\.0 +one[\s\S]*greet: 1\.1\.0 was taken back/);
});

test('a good one replaces it, and goes back by hand', async () => {
  expect(await cli('install', await packed('1.2.0'))).toMatchObject({ code: 0, stdout: 'greet 1.2.0 runs on one, two\n', stderr: expect.stringContaining('tried here first') });
  expect(await cli('rollback', 'greet')).toMatchObject({ code: 0, stderr: 'greet is back at 1.0.0\n' });
  await eventually(async () => expect((await cli('status', 'greet')).stdout).toMatch(/greet +1\.0\.0 +one +0 +running\ngreet +1\.0\.0 +two +0 +running/));
  expect(await cli('rollback', 'greet')).toMatchObject({ code: 1, stderr: expect.stringContaining('PLUGIN_CONFLICT') });
});

test('it is configured for all hosts, checked by itself, its secrets masked; disabled, enabled', async () => {
  writeFileSync(path.join(folder, 'config.json'), '{"greeting":"Ahoy","apiKey":"not-to-be-shown"}');
  const set = await cli('config', 'greet', '--set', 'config.json');
  expect(set).toMatchObject({ code: 0, stdout: '{\n  "greeting": "Ahoy",\n  "apiKey": "[secret]"\n}\n', stderr: expect.stringMatching(/^stored for all hosts by test/) });
  expect((await cli('config', 'greet')).stdout).toBe(set.stdout);
  writeFileSync(path.join(folder, 'config.json'), '{"greeting":7}');
  expect(await cli('config', 'greet', '--set', 'config.json')).toMatchObject({ code: 2, stderr: expect.stringContaining('greeting') });
  writeFileSync(path.join(folder, 'config.json'), '{"apiKey": not-to-be-shown}');
  expect(await cli('config', 'greet', '--set', 'config.json')).toMatchObject({ code: 2, stderr: expect.stringMatching(/it is no JSON\.\n$/) });
  expect(await cli('disable', 'greet')).toMatchObject({ code: 0, stderr: 'greet is disabled on every host\n' });
  await eventually(async () => expect((await cli('status', 'greet')).stdout).toMatch(/one +0 +disabled\n.* two +0 +disabled/));
  expect((await cli('enable', 'greet')).code).toBe(0);
  await eventually(async () => expect((await cli('status', 'greet')).stdout).toMatch(/one +0 +running\n.* two +0 +running/));
});

test('what is no package, or cannot be loaded, is refused with why; Ctrl-C leaves it to the hosts', async () => {
  writeFileSync(path.join(folder, 'text.tgz'), 'text');
  expect(await cli('install', 'text.tgz')).toMatchObject({ code: 2, stderr: expect.stringContaining('is no .tgz') });
  const broken = await packed('2.0.0', (text) => `${text}(`, '--no-check');
  expect(await cli('install', broken)).toMatchObject({ code: 1, stderr: expect.stringMatching(/BODY_INVALID: START_FAILED: [\s\S]*SyntaxError/) });
  const slow = await packed('2.1.0');
  const install = new CliProcess(['plugin', 'install', slow, '--json'], { cwd: folder, env });
  await eventually(() => expect(install.stdout).toContain('"type":"taken"'));
  install.child.kill('SIGINT');
  expect([0, 130]).toContain((await install.end).code);
});

test('uninstalled it is gone from every host', async () => {
  expect(await cli('uninstall', 'greet')).toMatchObject({ code: 0, stderr: 'greet is uninstalled\n' });
  await eventually(async () => expect((await cli('status', 'greet')).stderr).toContain('No host has a plugin greet'));
  expect((await cli('packages')).stderr).toBe('nothing is installed\n');
  expect(readdirSync(folder).filter((name) => name.endsWith('.tgz')).length).toBeGreaterThan(3);
});
