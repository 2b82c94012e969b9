import { connect } from 'node:net';
import type { Attempt, LogRecord } from '@rivulet/protocol';
import { eventually } from '../../../test/support/eventually';
import { appendRecord, FRAGMENTS } from '../../../test/support/memory-source';
import { bodyOf, get, SseReader, startServer, stopServers } from '../../../test/support/watch-server';
import type { WatchServer } from '../../../test/support/watch-server';

const END: LogRecord = { kind: 'end', epoch: 1, lastSeq: null, checksum: null, digest: '', metadata: {} };
const SSE = { accept: 'text/event-stream' };
afterEach(stopServers);
const events = async (url: string, token: string, headers = {}) => new SseReader(await get(`${url}/events`, token, { ...SSE, ...headers }));

test('[WATCH-11] head and retry line come at once, then a comment in every period', async () => {
  const server = await startServer({ keepAliveMs: 150 });
  const { token, url } = await server.open();
  const reader = await events(url, token);
  await reader.until(({ text }) => (text.match(/^:$/gm) ?? []).length >= 2);
  expect(reader.text).toMatch(/^retry: 1000\n\nevent: stream\n/);
  expect(reader.response.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no',
  });
});

test('[WATCH-9] final carries the whole verdict, and nothing follows it', async () => {
  const server = await startServer();
  const { no, token, url } = await server.open({ channel: 'c' });
  await server.put(no, appendRecord(1, ['你', '好']));
  const reader = await events(url, token);
  await server.put(no, appendRecord(3, ['!']), END);
  await reader.ended();
  expect(reader.events.map(({ event, id }) => [event, id])).toEqual([
    ['stream', undefined], ['fragment', '1.2'], ['fragment', '1.3'], ['final', '1.3.f'],
  ]);
  expect(reader.events[0]!.data).toMatchObject({ status: 'open', epoch: 1, attempt: 1, channel: 'c', merge: 'text' });
  expect(reader.events[1]!.data).toEqual({ from: 1, to: 2, cursor: '1.2', text: '你好' });
  expect(reader.events[3]!.data).toMatchObject({ status: 'ended', sequence: 3, bytes: 7, reason: '', digest: '' });
});

test('[WATCH-13] an event stream, of one stream or of a channel, ends with the token it was asked for with', async () => {
  const server = await startServer();
  const { no, token, url } = await server.open({ channel: 'c' });
  const short = await server.auth.mintStream(no, 'read', Date.now() + 3_000);
  const shortOfChannel = await server.auth.mintChannel('c', Date.now() + 3_000);
  const channel = new SseReader(await get(`http://${server.address}/v1/watch/channels/c/events`, shortOfChannel, SSE));
  const [reader, other] = [await events(url, short), await events(url, token)];
  await Promise.all([channel.ended(), reader.ended()]);
  for (const { events: told } of [reader, channel]) {
    expect(told.map(({ event }) => event)).toEqual(['stream', 'problem']);
    expect(told[1]!.data).toMatchObject({ code: 'TOKEN_EXPIRED' });
  }
  expect((await get(`${url}/events`, short, SSE)).statusCode).toBe(401);
  await server.put(no, END);
  expect((await other.ended()).events.at(-1)?.event).toBe('final');
});

test('[LINK-2] a cursor ahead of the fold waits for the end of the log as it was then; only beyond it the cursor is unknown', async () => {
  const server = await startServer();
  const { no, token, url } = await server.open();
  await server.put(no, appendRecord(1, ['a']));
  const release = server.source.hold();
  await server.write(no, appendRecord(2, ['b', 'c']), END);
  const answers = Promise.all([get(`${url}/events?from=1.2`, token, SSE), get(`${url}/events?from=1.9`, token, SSE)]);
  const isEarly = await Promise.race([answers.then(() => true), get(url, token).then(() => false)]);
  expect(isEarly).toBe(false);
  release();
  const [known, unknown] = await answers;
  const reader = new SseReader(known);
  await reader.ended();
  expect(reader.named('fragment').map(({ data }) => data['text'])).toEqual(['c']);
  expect(unknown.statusCode).toBe(409);
});

test('[WATCH-2] Last-Event-ID wins over ?from; a resume at the final event is 204; cursors of nobody are refused', async () => {
  const server = await startServer();
  const { no, token, url } = await server.open();
  await server.put(no, appendRecord(1, ['a', 'b', 'c']), END);
  const reader = new SseReader(await get(`${url}/events?from=1.0`, token, { ...SSE, 'last-event-id': '1.2' }));
  await reader.ended();
  expect(reader.named('fragment').map(({ data }) => data['text'])).toEqual(['c']);
  expect((await get(`${url}/events?from=1.3.f`, token, SSE)).statusCode).toBe(204);
  for (const [cursor, status, code] of [['1.4', 409, 'CURSOR_UNKNOWN'], ['2.0', 409, 'CURSOR_UNKNOWN'], ['1.-1', 400, 'CURSOR_INVALID']] as const) {
    const response = await get(`${url}/events?from=${cursor}`, token, SSE);
    expect(response.statusCode).toBe(status);
    expect(JSON.parse(String(await bodyOf(response)))).toMatchObject({ code });
  }
});

test('[WATCH-2] rewind carries the new cursor, and the content starts over', async () => {
  const server = await startServer();
  const { no, token, url } = await server.open();
  await server.put(no, appendRecord(1, ['old']));
  const reader = await events(url, token);
  await server.put(no, { kind: 'retry', epoch: 2, attemptId: 'x', keep: 'none', reason: '' }, appendRecord(1, ['new'], { epoch: 2 }));
  await reader.until((one) => one.named('fragment').length === 2);
  expect(reader.events.slice(1).map(({ event, id }) => [event, id])).toEqual([['fragment', '1.1'], ['rewind', '2.0'], ['fragment', '2.1']]);
});

test('[WATCH-3] text, bytes, JSON and `latest` have one shape each, behind the head as at it', async () => {
  const server = await startServer();
  const shapes: [string, (string | Uint8Array)[], object[]][] = [
    ['text', ['a\n', 'b"'], [{ from: 1, to: 2, cursor: '1.2', lane: 'x', text: 'a\nb"' }]],
    ['bytes', [Uint8Array.of(255), Uint8Array.of(0, 1)], [{ from: 1, to: 2, cursor: '1.2', lane: 'x', base64: '/wAB' }]],
    ['json', ['{"a":\n1.0}', '12345678901234567890'], [{ from: 1, to: 2, cursor: '1.2', lane: 'x', items: [{ a: 1 }, 12345678901234567890] }]],
    ['latest', ['1', '2'], [{ from: 1, to: 2, cursor: '1.2', lane: 'x', items: [2] }]],
    ['json', ['not json'], [{ from: 1, to: 1, cursor: '1.1', lane: 'x', base64: 'bm90IGpzb24=' }]],
    ['text', [Uint8Array.of(255)], [{ from: 1, to: 1, cursor: '1.1', lane: 'x', base64: '/w==' }]],
  ];
  for (const [merge, payloads, expected] of shapes) {
    const { no, token, url } = await server.open({ merge: merge as 'text' });
    const live = await events(url, token);
    await server.put(no, appendRecord(1, payloads, { lane: 'x' }), END);
    const late = await events(url, token);
    for (const reader of [live, late]) expect((await reader.ended()).named('fragment').map(({ data }) => data)).toEqual(expected);
    if (merge === 'json' && payloads.length === 2) expect(live.text).toContain('"items":[{"a": 1.0},12345678901234567890]');
  }
});

test('[WATCH-3] ?intervalMs sets a reader\'s own pace: fragments in between merge, the end comes at once', async () => {
  const server = await startServer();
  const { no, token, url } = await server.open();
  const reader = new SseReader(await get(`${url}/events?intervalMs=60000`, token, SSE));
  await server.put(no, appendRecord(1, ['a']));
  await reader.until((one) => one.named('fragment').length === 1);
  await server.put(no, appendRecord(2, ['b']));
  await server.put(no, appendRecord(3, ['c']));
  await server.put(no, END);
  expect((await reader.ended()).named('fragment').map(({ data }) => data['text'])).toEqual(['a', 'bc']);
  expect((await get(`${url}/events?intervalMs=1e3`, token, SSE)).statusCode).toBe(400);
});

test('[WATCH-4] a watcher that never reads costs its cursor and a frame, delays nobody, and gets all when it returns', async () => {
  const server = await startServer({ viewBytesMax: 1 << 20 });
  const { no, token, url } = await server.open();
  const stalled = await get(`${url}/events`, token, SSE);
  const lively = await events(url, token);
  const fragment = 'x'.repeat(60_000);
  const count = 400; // 24 MB, far beyond what kernels buffer
  for (let seq = 1; seq <= count; seq += 1) {
    await server.put(no, appendRecord(seq, [fragment]));
    if (seq % 25 === 0) await lively.until((one) => Number(one.events.at(-1)?.data['to']) === seq);
  }
  const delivered = await server.metric('delivered_bytes_total');
  expect(delivered - count * 60_000).toBeLessThan(count * 60_000 / 2);
  await server.put(no, END);
  const late = await new SseReader(stalled).ended();
  expect(late.named('fragment').map(({ data }) => String(data['text'])).join('')).toBe(fragment.repeat(count));
  let last = 0;
  for (const { data } of late.named('fragment')) {
    expect(data['from']).toBe(last + 1);
    last = data['to'] as number;
  }
  expect(await server.metric('cold_reads_total')).toBeGreaterThan(0);
});

test('[WATCH-3] [WATCH-4] a watcher at a tenth of the speed gets the same bytes in far fewer frames, and others do not notice', async () => {
  const server = await startServer({ viewBytesMax: 1 << 20, frameBytesMax: 512 * 1024 });
  const { no, token, url } = await server.open();
  const [slow, lively] = [await events(url, token), await events(url, token)];
  slow.response.pause();
  const fragment = 'x'.repeat(30_000);
  const count = 800; // 24 MB, far beyond what kernels buffer
  for (let seq = 1; seq <= count; seq += 1) {
    await server.put(no, appendRecord(seq, [fragment]));
    await lively.until((one) => one.named('fragment').at(-1)?.data['to'] === seq);
    // What its buffer holds, 64 KB of 600.
    if (seq % 20 === 0) slow.response.read();
    expect(server.views.bytes).toBeLessThan(2 << 20);
  }
  // What waits for the slow one waits in no memory of the server.
  expect(await server.metric('delivered_bytes_total')).toBeLessThan(count * 30_000 * 1.7);
  await server.put(no, END);
  slow.response.resume();
  const frames = (await slow.ended()).named('fragment');
  expect(frames.map(({ data }) => data['text']).join('')).toBe(fragment.repeat(count));
  expect(frames.length).toBeLessThan(count / 2);
  expect(lively.named('fragment')).toHaveLength(count);
});

test('[WATCH-5] below what is kept: 410 with the oldest cursor at the start, `problem` midway, never a jump', async () => {
  const server = await startServer({ viewBytesMax: 4096 });
  const { no, token, url } = await server.open();
  const midway = new SseReader(await get(`${url}/events?intervalMs=300`, token, SSE));
  await server.put(no, appendRecord(1, ['first']));
  await midway.until((one) => one.named('fragment').length === 1);
  for (let seq = 2; seq <= 300; seq += 1) await server.write(no, appendRecord(seq, ['y'.repeat(100)]));
  await server.source.caughtUp();
  server.log.truncate(FRAGMENTS, 0, 200);
  await midway.ended();
  expect(midway.events.at(-1)).toMatchObject({ event: 'problem', data: { code: 'CURSOR_EXPIRED', next: 'resume' } });
  const gone = await get(`${url}/events?from=1.1`, token, SSE);
  expect(gone.statusCode).toBe(410);
  const { code, oldest } = JSON.parse(String(await bodyOf(gone))) as { code: string; oldest: string };
  expect(code).toBe('CURSOR_EXPIRED');
  await server.put(no, END);
  const rest = await (await events(url, token, { 'last-event-id': oldest })).ended();
  expect(rest.named('fragment')[0]!.data['from']).toBe(Number(oldest.split('.')[1]) + 1);
  expect(rest.named('fragment').at(-1)!.data['to']).toBe(300);
});

test('[WATCH-8] a disconnect is only that: the stream goes on, and the session is forgotten', async () => {
  const server = await startServer();
  const { no, token, url } = await server.open();
  const first = await events(url, token);
  await first.until((one) => one.events.length === 1);
  first.response.destroy();
  await server.put(no, appendRecord(1, ['a']), END);
  const second = await (await events(url, token)).ended();
  expect(second.named('final')[0]!.data).toMatchObject({ status: 'ended' });
  expect((await server.source.summary(no)).sessions).toBe(0);
  expect(server.delivery.sessionCount).toBe(0);
});

test('[WATCH-10] trouble that will pass is 200 with `unavailable` for event streams, a 503 for others; a lasting one keeps its status', async () => {
  const server = await startServer();
  const { token, url } = await server.open();
  server.log.faults.isAway = true;
  const unknown = server.streamNos.issue({ time: Date.now(), partition: 0 });
  const elsewhere = url.replace(/[^/]+$/, unknown);
  const transient = await (await events(elsewhere, token)).ended();
  expect(transient.response.statusCode).toBe(200);
  expect(transient.text).toMatch(/^retry: \d+\n/);
  expect(transient.named('unavailable')[0]!.data).toMatchObject({ code: 'LOG_UNAVAILABLE' });
  expect((await get(`${elsewhere}/events`, token)).statusCode).toBe(503);
  server.log.faults.isAway = false;
  expect((await get(`${elsewhere}/events`, token, SSE)).statusCode).toBe(404);
  expect((await get(`${url}/events`, 'nonsense', SSE)).statusCode).toBe(401);
  expect((await get(`${url.slice(0, -1)}!/events`, token, SSE)).statusCode).toBe(400);
});

test('[OWN-9] a session goes on in the next replica where it was in the last: nothing twice, nothing missing, no reconnect', async () => {
  const server = await startServer();
  const { no, token, url } = await server.open();
  await server.put(no, appendRecord(1, ['a', 'b']));
  const reader = await events(url, token);
  await reader.until((one) => one.named('fragment').length === 1);
  const before = server.source.entries.get(no)!;
  await server.source.replace();
  await server.put(no, appendRecord(3, ['c']));
  await reader.until((one) => one.named('fragment').length === 2);
  const after = server.source.entries.get(no)!;
  expect(after).not.toBe(before);
  expect([before.sessions, after.sessions, after.pins]).toEqual([0, 1, 1]);
  expect(reader.named('fragment').map(({ id, data }) => [id, data['text']])).toEqual([['1.2', 'ab'], ['1.3', 'c']]);
  // While the log is away the session waits, however often its replica goes.
  server.log.faults.isAway = true;
  await server.source.replace();
  server.log.faults.isAway = false;
  await server.put(no, END);
  await reader.ended();
  expect(reader.named('final')).toHaveLength(1);
  expect(reader.named('stream')).toHaveLength(1);
  expect(after.sessions).toBe(0);
});

test('[OWN-9] a stream that the next replica does not have any more ends its sessions with the reason', async () => {
  const server = await startServer();
  const { no, token, url } = await server.open();
  const reader = await events(url, token);
  await reader.until((one) => one.events.length === 1);
  await server.source.replace([no]);
  await reader.ended();
  expect(reader.events.at(-1)).toMatchObject({ event: 'problem', data: { code: 'STREAM_NOT_FOUND' } });
  expect(server.delivery.sessionCount).toBe(0);
});

test('[LINK-2] a cursor ahead of a replica that ends before it has caught up is asked for again, not refused', async () => {
  const server = await startServer();
  const { no, token, url } = await server.open();
  const release = server.source.hold();
  await server.write(no, appendRecord(1, ['a', 'b']));
  const answer = events(url, token, { 'last-event-id': '1.2' });
  await eventually(() => expect(server.source.waiting).toHaveLength(1));
  await server.source.replace();
  release();
  const reader = await (await answer).ended();
  expect(reader.events).toMatchObject([{ event: 'unavailable', data: { code: 'NOT_OWNER' } }]);
  expect((await get(`${url}/events`, token, { ...SSE, 'last-event-id': '1.3' })).statusCode).toBe(409);
});

test('a drain tells every session to come back, with a jittered time, and closes it', async () => {
  const server = await startServer();
  const { token, url } = await server.open();
  const readers = await Promise.all(Array.from({ length: 5 }, () => events(url, token)));
  for (const reader of readers) await reader.until((one) => one.events.length === 1);
  server.delivery.drain();
  for (const reader of readers) {
    await reader.ended();
    expect(reader.events.at(-1)).toMatchObject({ event: 'unavailable', data: { code: 'NOT_READY' } });
  }
  expect(new Set(readers.map(({ text }) => /retry: (\d+)\nevent/.exec(text)?.[1])).size).toBeGreaterThan(1);
  expect(server.delivery.sessionCount).toBe(0);
});

test('[WATCH-12] a channel feed tells streams apart by streamNo, present and future, each from its beginning, and its ids are its own', async () => {
  const server = await startServer();
  const first = await server.open({ channel: 'team' });
  await server.put(first.no, appendRecord(1, ['a']), END);
  const token = await server.auth.mintChannel('team', Date.now() + 60_000);
  const reader = new SseReader(await get(`http://${server.address}/v1/watch/channels/team/events`, token, SSE));
  await reader.until((one) => one.named('final').length === 1);
  const second = await server.open({ channel: 'team' });
  await server.open({ channel: 'other' });
  await server.put(second.no, appendRecord(1, ['b']), END);
  await reader.until((one) => one.named('final').length === 2);
  expect(reader.events.map(({ event, data }) => [event, data['streamNo']])).toEqual(
    [first.no, second.no].flatMap((no) => [['stream', no], ['fragment', no], ['final', no]]),
  );
  const ids = reader.events.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.some((id) => id === undefined || /^\d+\.\d+$/.test(id))).toBe(false);
  expect(reader.named('fragment')[0]!.data).toEqual({ streamNo: first.no, from: 1, to: 1, cursor: '1.1', text: 'a' });
  expect((await get(`http://${server.address}/v1/watch/channels/other/events`, token, SSE)).statusCode).toBe(403);
});

test('a channel with more open streams than a connection carries: the others wait until one has ended', async () => {
  const server = await startServer({ sessionStreamsMax: 2 });
  const streams = [];
  for (let n = 0; n < 4; n += 1) streams.push(await server.open({ channel: 'team' }));
  const token = await server.auth.mintChannel('team', Date.now() + 60_000);
  const reader = new SseReader(await get(`http://${server.address}/v1/watch/channels/team/events`, token, SSE));
  await reader.until(() => reader.named('stream').length === 2);
  const told = () => new Set(reader.named('stream').map(({ data }) => data['streamNo']));
  const [one] = streams.filter(({ no }) => told().has(no));
  await server.put(one!.no, appendRecord(1, ['a']), END);
  await reader.until(() => reader.named('stream').length === 3);
  for (const { no } of streams) {
    if (no !== one!.no && told().has(no)) await server.put(no, END);
  }
  await reader.until(() => told().size === 4);
  expect(reader.named('unavailable')).toEqual([]);
  reader.response.destroy();
});

test('a stream of a channel whose place cannot be found is not kept in memory for it', async () => {
  const server = await startServer();
  const { no } = await server.open({ channel: 'team' });
  await server.put(no, appendRecord(1, ['a']));
  const entry = await server.source.open(no);
  while (entry.view.evict()) continue;
  server.source.release(entry);
  server.log.truncate(FRAGMENTS, 0, 2);
  const token = await server.auth.mintChannel('team', Date.now() + 60_000);
  const reader = new SseReader(await get(`http://${server.address}/v1/watch/channels/team/events`, token, SSE));
  await reader.until(() => reader.named('problem').length === 1);
  reader.response.destroy();
  expect(reader.named('problem')[0]!.data).toMatchObject({ streamNo: no, code: 'CURSOR_EXPIRED' });
  expect(server.source.entries.get(no)).toMatchObject({ pins: 0, sessions: 0 });
});

test('[WATCH-8] a connection that goes takes along what was pipelined behind an answer that never ended', async () => {
  const server = await startServer();
  const { no, token } = await server.open();
  await server.put(no, appendRecord(1, ['a']));
  const socket = connect(Number(server.address.split(':')[1]), '127.0.0.1');
  const ask = (what: string): string => `GET /v1/watch/${no}/${what} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`;
  socket.write(ask('events') + ask('events') + ask('content?live'));
  const sessions = (): number => server.delivery.sessionCount;
  while (sessions() < 3) await new Promise((resolve) => { setImmediate(resolve); });
  socket.destroy();
  while (sessions() > 0) await new Promise((resolve) => { setImmediate(resolve); });
  expect(server.source.entries.get(no)).toMatchObject({ pins: 0, sessions: 0 });
});

/** As a takeover ends a stream that has only a checkpoint after the first fragment, and not the records behind it [OWN-5]. */
function endAtLess(server: WatchServer, no: string, attempts?: Attempt[]): void {
  const { state, listeners } = server.source.entries.get(no)!;
  const final = {
    status: 'failed' as const, reason: 'LOG_LOST', message: '', epoch: 1, sequence: 1, bytes: 1, checksum: 0, digest: '', metadata: {}, at: 0, offset: 2,
  };
  Object.assign(state, { status: 'failed', epoch: 1, next: 2, bytes: 1, final, ...(attempts && { attempts }) });
  for (const listener of [...listeners]) listener();
}

test('[WATCH-5] a stream ended at less than a reader was told, since its records were lost, is a problem and no silence for ever', async () => {
  const server = await startServer();
  const { no, token, url } = await server.open();
  await server.put(no, appendRecord(1, ['a', 'b', 'c']));
  const reader = await events(url, token);
  await reader.until(() => reader.named('fragment').length === 1);
  endAtLess(server, no);
  await reader.ended();
  expect(reader.events.map(({ event }) => event)).toEqual(['stream', 'fragment', 'problem']);
  expect(reader.named('problem')[0]!.data).toMatchObject({ code: 'LOG_LOST' });
});

test('[WATCH-5] a stream ended at an attempt before the reader\'s is a problem too, and no way back to what was void', async () => {
  const server = await startServer();
  const { no, token, url } = await server.open();
  await server.put(no, appendRecord(1, ['a']));
  const before = server.source.entries.get(no)!.state.attempts.map((attempt) => ({ ...attempt }));
  await server.put(no, { kind: 'retry', epoch: 2, attemptId: 'second', keep: 'none', reason: '' }, appendRecord(1, ['b'], { epoch: 2 }));
  const reader = await events(url, token);
  await reader.until(() => reader.named('fragment').length === 1);
  endAtLess(server, no, before);
  await reader.ended();
  expect(reader.events.map(({ event }) => event)).toEqual(['stream', 'fragment', 'problem']);
});
