import { Readable } from 'node:stream';
import { startRivulet } from '@rivulet/standalone';
import type { RunningRivulet } from '@rivulet/standalone';
import { eventually } from '../../../test/support/eventually';
import { slowdown } from '../../../test/support/slowdown';
import { rivulet } from './rivulet';
import type { Rivulet } from './rivulet';
import type { Source } from './send';

let system: RunningRivulet;
let client: Rivulet;
beforeAll(async () => {
  system = await startRivulet({ env: { RIVULET_LOG_LEVEL: 'error' } });
  client = rivulet({ url: system.url, token: system.apiKey });
});
afterAll(() => system.stop());

const TEXT = 'Ein Bächlein, 小溪, 🌊. '.repeat(50);
const bytes = new TextEncoder().encode(TEXT);
/** Cut inside characters, as sockets do. */
const torn = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, index) => bytes.slice(index * 7, index * 7 + 7));
async function* words(): AsyncGenerator<string> {
  for (const word of TEXT.split(/(?<= )/)) yield word;
}
const finalOf = async (streamNo: string) => (await client.state(streamNo)).final;

test.each<[string, Source]>([
  ['a string', TEXT],
  ['an async iterable of strings', words()],
  ['a list of strings', TEXT.split(/(?<= )/)],
  ['a ReadableStream of strings', ReadableStream.from(words())],
  ['a ReadableStream of bytes cut inside characters', ReadableStream.from(torn)],
  ['a Readable of Node', Readable.from(torn)],
  ['a Blob that says it is text', new Blob([TEXT], { type: 'text/markdown' })],
  ['a function', () => words()],
])('%s is sent as text', async (_, source) => {
  let early = '';
  const { streamNo, verdict } = await client.send(source, { channel: 'sent', onOpen: (stream) => (early = stream.streamNo) });
  expect(early).toBe(streamNo);
  expect(verdict).toMatchObject({ status: 'ended', bytes: bytes.length });
  expect(await client.watch(streamNo).text()).toBe(TEXT);
  expect(await client.state(streamNo)).toMatchObject({ channel: 'sent', merge: 'text' });
});

test.each<[string, Source, string]>([
  ['bytes', new Uint8Array(600_000).fill(200), 'application/octet-stream'],
  ['a Blob without a type', new Blob([new Uint8Array(600_000).fill(200)]), 'application/octet-stream'],
  ['an image', new Blob([new Uint8Array(600_000).fill(200)], { type: 'image/png' }), 'image/png'],
  ['a JSON file', new Blob([new Uint8Array(600_000).fill(200)], { type: 'application/json' }), 'application/json'],
])('%s: sent byte for byte', async (_, source, contentType) => {
  const { streamNo } = await client.send(source);
  expect(await client.state(streamNo)).toMatchObject({ contentType, merge: 'bytes', bytes: 600_000 });
  expect((await client.watch(streamNo).bytes()).every((byte) => byte === 200)).toBe(true);
});

test('values are sent as JSON, with what is known at the end', async () => {
  const { streamNo } = await client.send([{ a: 1 }, 'x', null], { contentType: 'application/json', finalMetadata: () => ({ tokens: 3 }) });
  expect(await client.watch(streamNo).text()).toBe('{"a":1}\n"x"\nnull\n');
  expect(await finalOf(streamNo)).toMatchObject({ metadata: { tokens: 3 } });
});

test('a pace merges the pieces', async () => {
  const { verdict } = await client.send(words(), { intervalMs: 100 });
  expect(verdict.sequence).toBeLessThan(10);
});

test('bytes that are no text fail the send and the stream', async () => {
  let streamNo = '';
  const sending = client.send([new Uint8Array([104, 105, 255])], { onOpen: (stream) => (streamNo = stream.streamNo) });
  await expect(sending).rejects.toMatchObject({ code: 'UTF8_INVALID' });
  expect(await finalOf(streamNo)).toMatchObject({ status: 'failed', reason: 'SOURCE_FAILED' });
});

test('when the source fails its readers get what there was, and the code', async () => {
  let streamNo = '';
  async function* broken(): AsyncGenerator<string> {
    yield 'half of ';
    yield 'it';
    throw new Error('the model went away');
  }
  await expect(client.send(broken(), { intervalMs: 200, onOpen: (stream) => (streamNo = stream.streamNo) })).rejects.toThrow('the model went away');
  expect(await client.state(streamNo)).toMatchObject({ bytes: 10, final: { status: 'failed', reason: 'SOURCE_FAILED', message: 'the model went away' } });
});

/** Gives one word and then nothing, for ever: only its being stopped ends it. */
function silentSource() {
  const source = { isStopped: false, streamNo: '' };
  const stream = new ReadableStream<string>({ start: (out) => out.enqueue('one '), cancel: () => void (source.isStopped = true) });
  return { ...source, stream, source };
}

test('a signal gives the stream up, and the source is stopped', async () => {
  const { stream, source } = silentSource();
  const stop = new AbortController();
  const sending = client.send(stream, { signal: stop.signal, onOpen: ({ streamNo }) => (source.streamNo = streamNo) });
  await eventually(async () => expect((await client.state(source.streamNo)).sequence).toBe(1));
  stop.abort(new Error('enough'));
  await expect(sending).rejects.toThrow('enough');
  expect(source.isStopped).toBe(true);
  expect(await finalOf(source.streamNo)).toMatchObject({ status: 'failed', reason: 'SEND_ABORTED', message: 'enough' });
  await expect(client.send('x', { signal: stop.signal })).rejects.toThrow('enough');
});

test.each(['a stream', 'an iterator', 'a function'] as const)('[WATCH-8] a cancel stops a silent source that is %s', async (kind) => {
  const { stream, source } = silentSource();
  const silence = (stopped: () => void): AsyncIterable<never> => ({
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<never>(() => undefined),
      return: async () => {
        stopped();
        return { done: true, value: undefined };
      },
    }),
  });
  const made: Record<typeof kind, Source> = {
    'a stream': stream,
    'an iterator': silence(() => (source.isStopped = true)),
    'a function': (signal) => {
      signal.addEventListener('abort', () => (source.isStopped = true));
      return silence(() => undefined);
    },
  };
  const sending = client.send(made[kind], { onOpen: ({ streamNo }) => (source.streamNo = streamNo) });
  const failed = expect(sending).rejects.toMatchObject({ code: 'STREAM_FINAL', details: { status: 'cancelled' } });
  await eventually(() => expect(source.streamNo).not.toBe(''));
  await client.cancel(source.streamNo, 'enough');
  const cancelledAt = performance.now();
  await failed;
  expect(source.isStopped).toBe(true);
  // Long before a beat that the lease needs.
  expect(performance.now() - cancelledAt).toBeLessThan(2_500 * slowdown());
});

test('a send that cannot open leaves the source alone', async () => {
  const { stream, source } = silentSource();
  await expect(client.send(stream, { limits: { fragmentBytesMax: -1 } })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  expect(stream.locked || source.isStopped).toBe(false);
});

test('a signal ends a call that waits for a service that is away', async () => {
  const away = rivulet({ url: 'http://127.0.0.1:9', token: 't' });
  for (const call of [
    (signal: AbortSignal) => away.send('x', { signal }), (signal: AbortSignal) => away.sendFile(new Blob(['x']), { signal }),
    (signal: AbortSignal) => away.sendFile(new Blob(['x']), { signal, resume: 's' }), (signal: AbortSignal) => away.receiveFile('s', undefined, { signal }),
  ]) {
    const leave = new AbortController();
    const calling = call(leave.signal);
    leave.abort(new Error('left'));
    await expect(calling).rejects.toThrow('left');
  }
});
