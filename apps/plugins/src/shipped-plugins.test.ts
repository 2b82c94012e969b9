import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { AdminStreamPage, ReaderEvent } from '@rivulet/protocol';
import { ChatEndpoint } from '../../../test/support/chat-endpoint';
import type { Step } from '../../../test/support/chat-endpoint';
import { eventually } from '../../../test/support/eventually';
import { PluginFolder } from '../../../test/support/plugin-folder';
import { startPluginSystem } from '../../../test/support/plugin-system';
import type { PluginHostUnderTest, PluginSystem } from '../../../test/support/plugin-system';
import { slowdown } from '../../../test/support/slowdown';

const KEY = 'sk-test-very-secret-key';
const CONTENT = Buffer.from(Array.from({ length: 40_000 }, (_, n) => `line ${n}\n`).join(''));
const ENDING: Step[] = [{ finish: 'stop' }, { usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 } }, 'done'];

let system: PluginSystem;
let host: PluginHostUnderTest;
let endpoint: ChatEndpoint;
let folder: PluginFolder;
/** Serves CONTENT, the first time cut off in the middle. */
const files = createServer((request, response) => {
  const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  response.writeHead(start > 0 ? 206 : 200, { 'content-length': CONTENT.length - start });
  if (start > 0) response.end(CONTENT.subarray(start));
  else response.write(CONTENT.subarray(0, 200_000), () => setTimeout(() => response.destroy(), 50));
});

beforeAll(async () => {
  endpoint = await ChatEndpoint.start();
  folder = new PluginFolder();
  mkdirSync(path.join(folder.path, 'files'));
  writeFileSync(path.join(folder.path, 'files', 'data.txt'), CONTENT);
  symlinkSync('/etc/hostname', path.join(folder.path, 'files', 'way-out'));
  await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve));
  system = await startPluginSystem();
  host = await system.addHost({
    RIVULET_PLUGINS_SHIPPED: 'echo,ticker,file,ai-chat',
    RIVULET_PLUGINS_CONFIG: JSON.stringify({
      'ai-chat': { baseUrl: endpoint.url, apiKey: KEY, model: 'small', systemPrompt: 'Be brief.', retryMs: 20, stallMsMax: 500 },
      file: { folders: [path.join(folder.path, 'files')], urls: [`http://127.0.0.1:${(files.address() as AddressInfo).port}/open`] },
    }),
  });
  await eventually(() => expect(host.built.plugins.all().map(({ source, state, fault }) => [source.name, state, fault])).toEqual(
    ['echo', 'ticker', 'file', 'ai-chat'].map((name) => [name, 'running', null]),
  ));
});
afterAll(async () => {
  await system.stop();
  await endpoint.stop();
  files.closeAllConnections();
  files.close();
  folder.remove();
});

async function ask(plugin: string, input: unknown, channel?: string): Promise<string> {
  const { status, body } = await host.ask(plugin, { input, ...(channel === undefined ? {} : { channel }) });
  expect({ status, body }).toMatchObject({ status: 202 });
  return body['streamNo'] as string;
}
async function watch(streamNo: string): Promise<{ text: string; lanes: Record<string, string>; events: ReaderEvent[] }> {
  const events: ReaderEvent[] = [];
  let lanes: Record<string, string> = {};
  for await (const event of system.client.watch(streamNo)) {
    events.push(event);
    if (event.type === 'rewind') lanes = {};
    if (event.type === 'fragment') lanes[event.lane ?? ''] = (lanes[event.lane ?? ''] ?? '') + (event.text ?? '');
  }
  const { '': text = '', ...others } = lanes;
  return { text, lanes: others, events };
}
const finalOf = async (streamNo: string) => (await watch(streamNo)).events.at(-1);

describe('ai-chat', () => {
  test('an answer streams, with model, reason and usage in the final metadata', async () => {
    endpoint.script([{ say: 'Streams ' }, { wait: 30 }, { say: 'flow.' }, ...ENDING]);
    const { text, events } = await watch(await ask('ai-chat', 'What do streams do?'));
    expect(text).toBe('Streams flow.');
    expect(events.at(-1)).toMatchObject({ status: 'ended', metadata: { model: 'small-0042', finishReason: 'stop', calls: 1, usage: { total_tokens: 10 } } });
    expect(endpoint.calls[0]).toMatchObject({
      authorization: `Bearer ${KEY}`,
      body: { model: 'small', stream: true, messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'What do streams do?' }] },
    });
  });

  test('what was said in the channel before goes along, without its reasoning', async () => {
    endpoint.script([{ reason: 'hmm' }, { say: 'One.' }, ...ENDING]);
    await watch(await ask('ai-chat', 'First?', 'talk'));
    endpoint.script([{ say: 'Two.' }, ...ENDING]);
    await watch(await ask('ai-chat', 'Second?', 'talk'));
    expect(endpoint.calls[0]!.body.messages.slice(1)).toEqual([
      { role: 'user', content: 'First?' }, { role: 'assistant', content: 'One.' }, { role: 'user', content: 'Second?' },
    ]);
  });

  test('messages that ask it are its questions, each once, before their answers', async () => {
    const answerTo = async (text: string): Promise<string> => {
      const asking = await system.client.open({ channel: 'dialogue', metadata: { askPlugin: 'ai-chat' } });
      await asking.write(text);
      await asking.end();
      return eventually(async () => {
        const response = await fetch(`${system.url}/v1/admin/streams?channel=dialogue`, { headers: { authorization: `Bearer ${system.key}` } });
        const { streams } = (await response.json()) as AdminStreamPage;
        const answer = streams.find(({ metadata }) => metadata['inReplyTo'] === asking.streamNo);
        expect(answer?.status).toBe('ended');
        return answer!.streamNo;
      });
    };
    endpoint.script([{ say: 'One.' }, ...ENDING]);
    await answerTo('First?');
    endpoint.script([{ say: 'Two.' }, ...ENDING]);
    expect((await watch(await answerTo('Second?'))).text).toBe('Two.');
    expect(endpoint.calls[0]!.body.messages.slice(1)).toEqual([
      { role: 'user', content: 'First?' }, { role: 'assistant', content: 'One.' }, { role: 'user', content: 'Second?' },
    ]);
  });

  test('reasoning and tool calls come in lanes of their own, a call whole on one line', async () => {
    endpoint.script([
      { reason: 'I need ' }, { reason: 'the weather.' }, { say: 'Let me look.' },
      { tool: { index: 0, id: 'call_1', name: 'weather', arguments: '{"ci' } }, { tool: { index: 0, arguments: 'ty":"Bern"}' } },
      { tool: { index: 1, id: 'call_2', name: 'time', arguments: '{}' } }, { finish: 'tool_calls' }, 'done',
    ]);
    const { text, lanes, events } = await watch(await ask('ai-chat', { text: 'Weather?', tools: [{ type: 'function', function: { name: 'weather' } }] }));
    expect([text, lanes['reasoning']]).toEqual(['Let me look.', 'I need the weather.']);
    expect(lanes['tool']!.trim().split('\n').map((line) => JSON.parse(line) as unknown)).toEqual([
      { id: 'call_1', name: 'weather', arguments: '{"city":"Bern"}' }, { id: 'call_2', name: 'time', arguments: '{}' },
    ]);
    expect(events.at(-1)).toMatchObject({ metadata: { finishReason: 'tool_calls' } });
    expect(endpoint.calls[0]!.body.tools).toHaveLength(1);
  });

  test.each<[string, Step[]]>([
    ['a limit', [{ status: 429, headers: { 'retry-after': '0' } }]], ['an error of the endpoint', [{ status: 500 }]], ['a connection cut', ['cut']], ['a stall', ['stall']],
    ['an end without a word', ['close']],
  ])('%s before the first token is a second call, and readers see nothing of it', async (_, trouble) => {
    endpoint.script(trouble, [{ say: 'Fine.' }, ...ENDING]);
    const { text, events } = await watch(await ask('ai-chat', 'Well?'));
    expect(text).toBe('Fine.');
    expect(events.filter(({ type }) => type === 'rewind')).toEqual([]);
    expect(events.at(-1)).toMatchObject({ status: 'ended', epoch: 1, metadata: { calls: 2 } });
  });

  test.each<[string, Step[]]>([
    ['a connection cut', [{ say: 'Half an ans' }, { wait: 250 }, 'cut']], ['a stall', [{ say: 'Half an ans' }, 'stall']],
    ['an end without a reason', [{ say: 'Half an ans' }, { wait: 250 }, 'close']], ['a line that is none', [{ say: 'Half an ans' }, { wait: 250 }, 'nonsense', 'close']],
  ])('%s in the middle is another attempt on the same stream, never two halves', async (_, trouble) => {
    endpoint.script(trouble, [{ say: 'A whole answer.' }, ...ENDING]);
    const { text, events } = await watch(await ask('ai-chat', 'Well?'));
    expect(text).toBe('A whole answer.');
    expect(events.at(-1)).toMatchObject({ status: 'ended', epoch: 2, bytes: 'A whole answer.'.length });
  });

  test('a key that is not taken fails the stream at once, with its reason and without the key', async () => {
    endpoint.script([{ status: 401, body: { error: { message: `Incorrect API key provided: ${KEY}.`, type: 'invalid_request_error', code: 'invalid_api_key' } } }]);
    const final = await finalOf(await ask('ai-chat', 'Well?'));
    expect(final).toMatchObject({ status: 'failed', reason: 'UPSTREAM_FAILED', message: expect.stringContaining('Incorrect API key provided: [redacted]'), epoch: 1 });
    expect(endpoint.calls).toHaveLength(1);
    expect(JSON.stringify(host.built.plugins.host('ai-chat')!.log.newest(1_000))).not.toContain(KEY);
  });

  test('an endpoint that stays away fails the stream after all attempts', async () => {
    endpoint.script([{ status: 503 }]);
    expect(await finalOf(await ask('ai-chat', 'Well?'))).toMatchObject({ status: 'failed', reason: 'UPSTREAM_FAILED', epoch: 3 });
    expect(endpoint.calls).toHaveLength(9);
  });

  test('a cancel breaks the call of the endpoint off within a second, also while it says nothing', async () => {
    endpoint.script([{ say: 'Let me think' }, { wait: 400 }, { reason: 'a' }, { wait: 400 }, { reason: 'b' }, { wait: 400 }, { reason: 'c' }, { wait: 20_000 }]);
    const streamNo = await ask('ai-chat', 'Well?');
    await eventually(async () => expect((await system.client.state(streamNo)).sequence).toBeGreaterThan(0));
    const cancelledAt = performance.now();
    await system.client.cancel(streamNo);
    await eventually(() => expect(endpoint.calls[0]!.abortedAt).not.toBeNull());
    expect(endpoint.calls[0]!.abortedAt! - cancelledAt).toBeLessThan(1_000 * slowdown());
    expect(endpoint.calls).toHaveLength(1);
  });
});

describe('file', () => {
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

  test('a file comes as it is, in the bulk class', async () => {
    const streamNo = await ask('file', { path: path.join(folder.path, 'files', 'data.txt') });
    expect(sha256(await system.client.watch(streamNo).bytes())).toBe(sha256(CONTENT));
    expect(await system.client.state(streamNo)).toMatchObject({ class: 'bulk', epoch: 1, final: { metadata: { name: 'data.txt', bytes: CONTENT.length } } });
  });

  test('a URL that breaks off goes on where it was', async () => {
    const streamNo = await ask('file', { url: `http://127.0.0.1:${(files.address() as AddressInfo).port}/open/data` });
    expect(sha256(await system.client.watch(streamNo).bytes())).toBe(sha256(CONTENT));
    expect(await system.client.state(streamNo)).toMatchObject({ epoch: 2, attempts: [{}, { keep: 'all' }] });
  });

  test.each([
    ['FILE_NOT_ALLOWED', { path: '/etc/passwd' }], ['FILE_NOT_ALLOWED', { path: 'FOLDER/../../../../etc/passwd' }], ['FILE_NOT_ALLOWED', { path: 'FOLDER/way-out' }],
    ['FILE_NOT_FOUND', { path: 'FOLDER/nothing' }], ['URL_NOT_ALLOWED', { url: 'http://127.0.0.1:1/open' }], ['INPUT_INVALID', { file: 'x' }],
  ])('%s: %j', async (reason, input) => {
    const given = JSON.parse(JSON.stringify(input).replace('FOLDER', path.join(folder.path, 'files'))) as object;
    expect(await finalOf(await ask('file', given))).toMatchObject({ status: 'failed', reason, epoch: 1, bytes: 0 });
  });
});

test('echo says back what it is asked, spaces and all', async () => {
  const said = '  你好, world:\n one  two ';
  expect((await watch(await ask('echo', said))).text).toBe(said);
});

test('ticker goes on until it is cancelled, and a reader has the latest', async () => {
  const streamNo = await ask('ticker', { intervalMs: 20, start: 5 });
  await eventually(async () => expect((await system.client.state(streamNo)).sequence).toBeGreaterThan(5));
  expect(await system.client.state(streamNo)).toMatchObject({ merge: 'latest', status: 'open' });
  await system.client.cancel(streamNo);
  await eventually(() => expect(host.built.desk.answering.has(streamNo)).toBe(false));
  expect((await watch(await ask('ticker', { intervalMs: 10, count: 3 }))).events.at(-1)).toMatchObject({ status: 'ended', metadata: { ticks: 3 } });
});
