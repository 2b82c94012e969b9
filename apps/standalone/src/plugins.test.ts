import { rivulet } from '@rivulet/client';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { eventually } from '../../../test/support/eventually';
import { PluginFolder } from '../../../test/support/plugin-folder';
import type { PluginStatus } from './plugins';
import { startRivulet } from './start-rivulet';
import type { RunningRivulet, StartOptions } from './start-rivulet';

const GREETS = `config: z.object({ greeting: z.string() }), hooks: { async receive(ctx, { input }, stream) {
  ctx.log('asked by', { input });
  await stream.write(ctx.config.greeting + ' ' + input);
} }`;
let folder: PluginFolder;
const started: RunningRivulet[] = [];
const start = async (options: StartOptions): Promise<RunningRivulet> => {
  const running = await startRivulet(options);
  started.push(running);
  return running;
};
const answer = async (running: RunningRivulet, plugin: string, input: unknown): Promise<string> => {
  const { streamNo, readToken } = await running.ask(plugin, input);
  return rivulet({ url: running.url, token: readToken }).watch(streamNo).text();
};

beforeEach(() => { folder = new PluginFolder(); });
afterEach(async () => {
  await Promise.all(started.splice(0).map((running) => running.stop()));
  folder.remove();
});

test('a plugin somewhere runs when it has started, answers, and its lines are in the log', async () => {
  const lines: string[] = [];
  const running = await start({
    plugins: { paths: [folder.write('greets', GREETS)], config: { greets: { greeting: 'Hello' } } },
    log: { write: (line) => void lines.push(line) },
  });
  expect(await answer(running, 'greets', 'Ada')).toBe('Hello Ada');
  expect(lines.map((line) => (JSON.parse(line) as { line?: string }).line)).toContain('asked by {"input":"Ada"}');
  await expect(running.ask('nobody', 1)).rejects.toMatchObject({ code: 'PLUGIN_NOT_FOUND' });
  const matrix = () => fetch(`${running.url}/v1/admin/plugins`, { headers: { authorization: `Bearer ${running.apiKey}` } });
  await eventually(async () => expect(await (await matrix()).json()).toMatchObject([{ plugin: 'greets', state: 'running', fault: null }]));
});

test('one that cannot run stops the start, with its fault and what to do', async () => {
  const paths = [folder.write('greets', GREETS)];
  await expect(start({ plugins: { paths } })).rejects.toThrow(/greets does not run: CONFIG_INVALID: greeting: .*\n {2}Give greets/);
  rmSync(path.join(paths[0]!, 'package.json'));
  await expect(start({ plugins: { paths } })).rejects.toThrow(/START_FAILED: .*package\.json[\s\S]*Mend it: a plugin is a folder/);
});

test('with onChange it starts all the same, and runs once it has been mended', async () => {
  const seen: PluginStatus[] = [];
  const place = folder.write('breaks', 'hooks: { async receive(ctx, request, stream) { await stream.write("fine"); } } }); (', '1.0.0');
  const running = await start({ plugins: { paths: [place], onChange: (plugin) => seen.push(plugin) } });
  expect(seen.at(-1)).toMatchObject({ plugin: 'breaks', state: 'START_FAILED', fault: { detail: expect.stringContaining('SyntaxError') } });
  folder.write('breaks', 'hooks: { async receive(ctx, request, stream) { await stream.write("fine"); } }', '1.0.1');
  await eventually(() => expect(seen.at(-1)).toMatchObject({ plugin: 'breaks', version: '1.0.1', state: 'running', fault: null }));
  expect(await answer(running, 'breaks', '')).toBe('fine');
});

test('those that ship and those of a folder run beside each other, and what in it is no plugin is said', async () => {
  folder.write('greets', GREETS);
  writeFileSync(path.join(folder.path, 'notes.txt'), 'x');
  const seen: PluginStatus[] = [];
  const running = await start({
    env: { RIVULET_PLUGINS_CONFIG: '{"greets":{"greeting":"Hi"}}' }, plugins: { dir: folder.path, shipped: ['echo'], onChange: (plugin) => seen.push(plugin) },
  });
  expect(await Promise.all([answer(running, 'greets', 'you'), answer(running, 'echo', 'what I say')])).toEqual(['Hi you', 'what I say']);
  expect(seen.find(({ plugin }) => plugin === 'notes.txt')).toMatchObject({ state: 'START_FAILED' });
});

test('without plugins there is no host, and a setting of theirs that is wrong stops the start', async () => {
  const running = await start({});
  await expect(running.ask('echo', 'x')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(start({ plugins: { shipped: ['No Good'] } })).rejects.toThrow('RIVULET_PLUGINS_SHIPPED');
});
