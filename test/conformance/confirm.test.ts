import type { ConfirmedCursor, OpenedStream } from '@rivulet/protocol';
import { rivulet } from '@rivulet/client';
import { Raw, Sse } from './raw';
import type { Answer, SseEvent } from './raw';
import { suiteTarget } from './target';

const target = suiteTarget();
const raw = new Raw(target);

const connect = (stream: OpenedStream, query: string): Promise<Sse> => Sse.connect(raw, `/v1/watch/${stream.streamNo}/events?${query}`);
const ack = (stream: OpenedStream, session: string, cursor: string, token = stream.readToken): Promise<Answer> =>
  raw.call('POST', `/v1/watch/${stream.streamNo}/ack`, { token, json: { session, cursor } });
const confirmed = async (stream: OpenedStream): Promise<ConfirmedCursor[]> => (await raw.state(stream.streamNo)).confirmed ?? [];

/** Events up to the one with the cursor. */
async function until(reader: Sse, cursor: string): Promise<SseEvent[]> {
  const seen: SseEvent[] = [];
  for (let event = await reader.next(); event !== null; event = await reader.next()) {
    seen.push(event);
    if (event.id === cursor) return seen;
  }
  throw new Error(`closed before ${cursor}: ${JSON.stringify(seen)}`);
}

async function appended(texts: string[]): Promise<OpenedStream> {
  const stream = await raw.open();
  for (const [index, data] of texts.entries()) await raw.append(stream, { seq: index + 1, data });
  return stream;
}

test('[WATCH-6] a window is credit beyond what is confirmed, and a named session without a cursor goes on after that', async () => {
  const stream = await appended(['a', 'b', 'c', 'd', 'e', 'f']);
  const first = await connect(stream, 'session=s&window=2');
  await until(first, '1.2');
  expect((await ack(stream, 's', '1.1')).json).toEqual({ streamNo: stream.streamNo, session: 's', cursor: '1.1' });
  await until(first, '1.3');
  first.close();
  await raw.verdict(stream, 'end', { lastSeq: 6 });
  const second = await connect(stream, 'session=s');
  const seen = await second.until('final');
  expect(seen[0]).toMatchObject({ event: 'stream', data: { confirmed: '1.1' } });
  expect(seen.filter(({ event }) => event === 'fragment').map(({ data }) => data.text).join('')).toBe('bcdef');
  await ack(stream, 's', '1.6.f');
  const done = await raw.call('GET', `/v1/watch/${stream.streamNo}/events?session=s`, { headers: { accept: 'text/event-stream' } });
  expect(done.status).toBe(204);
});

test('[WATCH-6] a session that does not confirm is probed, and then given again what it has not confirmed', async () => {
  const stream = await appended(['a', 'b', 'c']);
  const reader = await connect(stream, 'session=s&window=3');
  await until(reader, '1.3');
  await ack(stream, 's', '1.1');
  const probes = await reader.until('probe');
  expect(probes.at(-1)?.data).toEqual({ confirmed: '1.1' });
  const again = await until(reader, '1.3');
  expect(again.filter(({ event }) => event === 'fragment').map(({ data }) => data.text).join('')).toBe('bc');
  reader.close();
});

test('[WATCH-6] the newest connection of a name wins, the older one is told SESSION_TAKEN', async () => {
  const stream = await appended(['a']);
  const older = await connect(stream, 'session=s');
  await until(older, '1.1');
  const newer = await connect(stream, 'session=s');
  expect((await older.until('problem')).at(-1)?.data).toMatchObject({ code: 'SESSION_TAKEN', next: 'stop' });
  expect(await older.next()).toBeNull();
  await until(newer, '1.1');
  newer.close();
});

test('[WATCH-7] who confirmed what is listed, the furthest cursor each, and whether it is the end', async () => {
  const stream = await appended(['a', 'b']);
  await raw.verdict(stream, 'end', { lastSeq: 2 });
  expect(await confirmed(stream)).toEqual([]);
  await ack(stream, 'whole', '1.2.f');
  await ack(stream, 'part', '1.2');
  expect((await ack(stream, 'part', '1.1')).json.cursor).toBe('1.2');
  expect(await confirmed(stream)).toEqual([
    { session: 'part', cursor: '1.2', confirmedAt: expect.any(Number), isFinal: false },
    { session: 'whole', cursor: '1.2.f', confirmedAt: expect.any(Number), isFinal: true },
  ]);
});

test('[WATCH-6] a confirmation takes the scope read of its stream, a cursor of that stream, and a name', async () => {
  const [stream, other] = [await appended(['a']), await appended(['a'])];
  const codeOf = async (...args: Parameters<typeof ack>): Promise<[number, string]> => {
    const { status, json } = await ack(...args);
    return [status, json.code as string];
  };
  expect(await codeOf(stream, 's', '1.1', '')).toEqual([401, 'UNAUTHENTICATED']);
  expect(await codeOf(stream, 's', '1.1', other.readToken)).toEqual([403, 'FORBIDDEN']);
  expect(await codeOf(stream, 's', '1.1', stream.writeToken)).toEqual([403, 'FORBIDDEN']);
  expect(await codeOf(stream, 's', '1')).toEqual([400, 'CURSOR_INVALID']);
  expect(await codeOf(stream, 's', '1.2')).toEqual([409, 'CURSOR_UNKNOWN']);
  expect(await codeOf(stream, 'a b', '1.1')).toEqual([400, 'BODY_INVALID']);
  expect(await confirmed(stream)).toEqual([]);
});

test.each(['sse', 'ws'] as const)('[WATCH-6] over %s the SDK confirms by itself what the loop has had, and goes on there in the next process', async (transport) => {
  const stream = await appended(['a', 'b', 'c', 'd']);
  await raw.verdict(stream, 'end', { lastSeq: 4 });
  const watch = () => rivulet({ url: target.url, token: stream.readToken }).watch(stream.streamNo, { transport, session: 'app', window: 2 });
  for await (const event of watch()) if (event.type === 'fragment') break;
  expect(await confirmed(stream)).toEqual([]);
  let text = '';
  for await (const event of watch()) {
    if (event.type === 'fragment') text += event.text ?? '';
    if (text.length >= 4) break;
  }
  const [{ cursor } = { cursor: '' }] = await confirmed(stream);
  expect(cursor).toBe('1.2'); // the last one was in the hand when the loop was left
  let rest = '';
  for await (const event of watch()) if (event.type === 'fragment') rest += event.text ?? '';
  expect([text, rest]).toEqual(['abcd', 'cd']);
  expect(await confirmed(stream)).toEqual([{ session: 'app', cursor: '1.4.f', confirmedAt: expect.any(Number), isFinal: true }]);
});
