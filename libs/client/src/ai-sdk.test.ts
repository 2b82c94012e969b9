import { AbstractChat, simulateReadableStream } from 'ai';
import type { ChatState, ChatStatus, ChatTransport, UIMessage, UIMessageChunk } from 'ai';
import { rivulet } from '@rivulet/client';
import type { Rivulet } from '@rivulet/client';
import { RivuletChatTransport, findUIMessageStream, pipeUIMessageStream } from '@rivulet/client/ai-sdk';
import type { RivuletChatTransportOptions } from '@rivulet/client/ai-sdk';
import { startRivulet } from '@rivulet/standalone';
import type { RunningRivulet } from '@rivulet/standalone';
import { ChatServer, WORDS } from '../../../test/support/chat-server';
import type { Answer } from '../../../test/support/chat-server';
import { eventually } from '../../../test/support/eventually';
import { slowdown } from '../../../test/support/slowdown';

/** A chat of the AI SDK as its React, Vue and Svelte bindings build theirs, without a framework. */
class Chat extends AbstractChat<UIMessage> {
  constructor(id: string, transport: ChatTransport<UIMessage>, messages: UIMessage[] = []) {
    const state: ChatState<UIMessage> = {
      status: 'ready' as ChatStatus, error: undefined, messages,
      pushMessage(message) { this.messages = [...this.messages, message]; },
      popMessage() { this.messages = this.messages.slice(0, -1); },
      replaceMessage(index, message) { this.messages = this.messages.with(index, this.snapshot(message)); },
      snapshot: structuredClone,
    };
    super({ id, transport, state });
  }
  get answer(): string {
    const { parts = [] } = this.messages.find(({ role }) => role === 'assistant') ?? {};
    return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
  }
}

const question: UIMessage = { id: 'q1', role: 'user', parts: [{ type: 'text', text: 'Well?' }] };

let system: RunningRivulet;
let client: Rivulet;
let server: ChatServer;
let chats = 0;
beforeAll(async () => {
  system = await startRivulet({ env: { RIVULET_LOG_LEVEL: 'error' } });
  client = rivulet({ url: system.url, token: system.apiKey });
});
afterAll(() => system.stop());
beforeEach(async () => { server = await new ChatServer(client).start(); chats += 1; });
afterEach(() => server.stop());

/** Calls of pages that would stop an answer. */
let cancels = 0;
beforeEach(() => { cancels = 0; });
const counting: typeof fetch = (input, init) => {
  if (String(input).endsWith('/cancel')) cancels += 1;
  return fetch(input, init);
};
const transport = (options: RivuletChatTransportOptions = {}): RivuletChatTransport =>
  new RivuletChatTransport({ url: system.url, api: `${server.url}/api/chat`, fetch: counting, ...options });
/** A page of the chat of this test: a new one is a reload, or another tab. */
const open = (messages: UIMessage[] = []): Chat => new Chat(`chat-${chats}`, transport(), messages);
const half = WORDS.slice(0, WORDS.length / 2).join('');
const untilHalf = (chat: Chat): Promise<void> => eventually(() => expect(chat.answer).toBe(half));
/** The list of streams follows the log; a reload is slower than that. */
const untilFound = (): Promise<void> => eventually(async () => expect(await findUIMessageStream(client, `chat-${chats}`)).not.toBeNull());

test('a question is answered, word by word, and the chat is ready for the next', async () => {
  const model = server.useModel();
  const chat = open();
  const sending = chat.sendMessage({ text: 'Well?' });
  await untilHalf(chat);
  expect(chat.status).toBe('streaming');
  model.goOn();
  await sending;
  expect([chat.answer, chat.status, chat.error]).toEqual([WORDS.join(''), 'ready', undefined]);
  expect(await server.ends[0]).toEqual({ status: 'ended' });
});

test('stop ends the call of the model at once, though it is silent, and what was said stays', async () => {
  const model = server.useModel();
  const chat = open();
  const sending = chat.sendMessage({ text: 'Well?' });
  await untilHalf(chat);
  const stopped = new Promise((resolve) => model.signal?.addEventListener('abort', resolve));
  const stoppedAt = performance.now();
  await chat.stop();
  await stopped;
  expect(performance.now() - stoppedAt).toBeLessThan(2_000 * slowdown());
  await sending;
  expect([chat.answer, chat.status]).toEqual([half, 'ready']);
  expect(await server.ends[0]).toEqual({ status: 'cancelled' });
});

test('a stop before the server has replied stops the answer all the same', async () => {
  server.useModel();
  let doReply: (value?: unknown) => void = () => undefined;
  server.replyAfter = new Promise((resolve) => { doReply = resolve; });
  const chat = open();
  const sending = chat.sendMessage({ text: 'Well?' });
  await eventually(() => expect(server.ends).toHaveLength(1));
  await chat.stop();
  await sending;
  doReply();
  expect(await server.ends[0]).toEqual({ status: 'cancelled' });
  expect(chat.status).toBe('ready');
});

test('after a reload in the middle the whole answer is there, once, and a second tab sees the same; leaving stops nothing', async () => {
  const model = server.useModel();
  const before = open();
  void before.sendMessage({ text: 'Well?' });
  await untilHalf(before);
  await untilFound();
  // The page is gone: it neither stops nor goes on reading. What it had shown is what an application would have stored.
  const [reloaded, tab] = [open(structuredClone(before.messages)), open([question])];
  const resumed = [reloaded.resumeStream(), tab.resumeStream()];
  await Promise.all([untilHalf(reloaded), untilHalf(tab)]);
  model.goOn();
  await Promise.all(resumed);
  for (const chat of [reloaded, tab]) {
    expect([chat.answer, chat.status, chat.messages.map(({ role }) => role)]).toEqual([WORDS.join(''), 'ready', ['user', 'assistant']]);
  }
  expect(await server.ends[0]).toEqual({ status: 'ended' });
});

test('after the end a reload has the complete answer; a chat without answers has nothing to resume', async () => {
  server.useModel().goOn();
  await open().sendMessage({ text: 'Well?' });
  await untilFound();
  for (const kept of [[question], [question, { id: 'answer-1', role: 'assistant' as const, parts: [{ type: 'text' as const, text: WORDS.join('') }] }]]) {
    const late = open(kept);
    await late.resumeStream();
    expect([late.answer, late.status, late.messages.length]).toEqual([WORDS.join(''), 'ready', 2]);
  }
  chats += 1;
  const none = open([question]);
  await none.resumeStream();
  expect([none.status, none.messages]).toEqual(['ready', [question]]);
});

test('stop in a tab that resumed is a stop for all', async () => {
  server.useModel();
  const first = open();
  const sending = first.sendMessage({ text: 'Well?' });
  await untilHalf(first);
  await untilFound();
  const tab = open([question]);
  const resumed = tab.resumeStream();
  await untilHalf(tab);
  await tab.stop();
  await Promise.all([resumed, sending]);
  expect(await server.ends[0]).toEqual({ status: 'cancelled' });
  expect([first.status, first.answer, tab.status, tab.answer]).toEqual(['ready', half, 'ready', half]);
  expect(cancels).toBe(1);
});

test('resuming again while it resumes or streams, as a page that mounts twice does, is no stop', async () => {
  const model = server.useModel();
  void open().sendMessage({ text: 'Well?' });
  await untilFound();
  const tab = open([question]);
  const resumed = [tab.resumeStream(), tab.resumeStream()];
  await untilHalf(tab);
  resumed.push(tab.resumeStream());
  await Promise.all(resumed.slice(0, 2));
  await untilHalf(tab);
  model.goOn();
  await Promise.all(resumed);
  expect([await server.ends[0], cancels, tab.answer]).toEqual([{ status: 'ended' }, 0, WORDS.join('')]);
});

const CHUNKS: UIMessageChunk[] = [
  { type: 'start', messageId: 'm1', messageMetadata: { model: 'm' } }, { type: 'start-step' },
  { type: 'reasoning-start', id: 'r' }, { type: 'reasoning-delta', id: 'r', delta: 'hm, 想' }, { type: 'reasoning-end', id: 'r' },
  { type: 'tool-input-start', toolCallId: 'c1', toolName: 'weather' }, { type: 'tool-input-delta', toolCallId: 'c1', inputTextDelta: '{"city":' },
  { type: 'tool-input-available', toolCallId: 'c1', toolName: 'weather', input: { city: 'Köln', days: [1, 2] } },
  { type: 'tool-output-available', toolCallId: 'c1', output: { celsius: 21.5, wind: null } }, { type: 'finish-step' }, { type: 'start-step' },
  { type: 'text-start', id: 't' }, { type: 'text-delta', id: 't', delta: 'It is 21.5 °C 🌤' }, { type: 'text-end', id: 't' },
  { type: 'source-url', sourceId: 's', url: 'https://example.org/w' }, { type: 'data-chart', data: { points: [[0, 1]] } },
  { type: 'finish-step' }, { type: 'finish', finishReason: 'stop' },
];

test('reasoning, tool calls, sources and data come through as they were written', async () => {
  server.answer = () => simulateReadableStream({ chunks: CHUNKS });
  const chunks = await transport().sendMessages({ chatId: `chat-${chats}`, messages: [question], trigger: 'submit-message', messageId: undefined, abortSignal: undefined });
  const seen: UIMessageChunk[] = [];
  for await (const chunk of chunks) seen.push(chunk);
  expect(seen).toEqual(CHUNKS);
  const chat = open([question]);
  await untilFound();
  await chat.resumeStream();
  expect(chat.messages[1]).toMatchObject({ id: 'm1', metadata: { model: 'm' } });
  expect(chat.messages[1]?.parts.find((part) => part.type === 'tool-weather')).toMatchObject({ state: 'output-available', output: { celsius: 21.5, wind: null } });
});

test('an answer that breaks is an error in the chat, told by its code alone, and by its cause to the server', async () => {
  server.answer = () => ReadableStream.from((async function* () {
    yield* CHUNKS.slice(0, 3);
    throw new Error('the key sk-123 is wrong');
  })()) as Answer;
  const chat = open();
  await chat.sendMessage({ text: 'Well?' });
  expect(chat.status).toBe('error');
  expect(chat.error?.message).toContain('ANSWER_FAILED');
  expect(chat.error?.message).not.toContain('sk-123');
  expect(await server.ends[0]).toMatchObject({ status: 'failed', error: { message: 'the key sk-123 is wrong' } });
});

test('an answer whose server has died is an error in the chat, after a while, with what there was', async () => {
  // The open and the first words of one that died: nothing beats for it.
  const headers = { authorization: `Bearer ${system.apiKey}`, 'content-type': 'application/json' };
  const post = async (path: string, body: object): Promise<{ streamNo: string }> =>
    (await fetch(`${system.url}/v1/streams${path}`, { method: 'POST', headers, body: JSON.stringify(body) })).json() as Promise<{ streamNo: string }>;
  const contentType = 'application/vnd.rivulet.ui-message-chunks+json';
  const { streamNo } = await post('', { channel: `chat-${chats}`, contentType, leaseMs: 1_000 });
  await post(`/${streamNo}/fragments`, { fragments: CHUNKS.slice(0, 4).map((data, index) => ({ seq: index + 1, data })) });
  await untilFound();
  const chat = new Chat(`chat-${chats}`, transport({ lostMsMax: 50 }), [question]);
  await chat.resumeStream();
  expect([chat.status, chat.error?.message]).toEqual(['error', 'The server that wrote this answer is gone.']);
  expect(chat.messages[1]?.parts).toMatchObject([{ type: 'step-start' }, { type: 'reasoning', text: 'hm, 想' }]);
});

test('an answer belongs to a chat: without one nothing is written or found', async () => {
  await expect(findUIMessageStream(client, '')).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  await expect(pipeUIMessageStream(client, { channel: '' }, () => simulateReadableStream({ chunks: CHUNKS }))).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
});

test('[WATCH-8] leaving the chunks is no stop, whatever the model does', async () => {
  const model = server.useModel();
  const chunks = await transport().sendMessages({ chatId: `chat-${chats}`, messages: [question], trigger: 'submit-message', messageId: undefined, abortSignal: undefined });
  const reader = chunks.getReader();
  await reader.read();
  await reader.cancel();
  model.goOn();
  expect(await server.ends[0]).toEqual({ status: 'ended' });
});
