import { createHash } from 'node:crypto';
import { eventually } from '../support/eventually';
import { Raw, Sse, textOf } from './raw';
import { suiteTarget } from './target';

const target = suiteTarget();
const raw = new Raw(target);

const events = (streamNo: string): string => `/v1/watch/${streamNo}/events`;

test('[WATCH-1] a live and a late reader see the same, each fragment once and in order', async () => {
  const stream = await raw.open();
  const live = await Sse.connect(raw, events(stream.streamNo));
  for (let seq = 1; seq <= 20; seq += 1) await raw.append(stream, { seq, data: `${seq},` });
  const late = await Sse.connect(raw, events(stream.streamNo));
  for (let seq = 21; seq <= 40; seq += 1) await raw.append(stream, { seq, data: `${seq},` });
  await raw.verdict(stream, 'end', { lastSeq: 40 });
  const after = await Sse.connect(raw, events(stream.streamNo));
  const expected = Array.from({ length: 40 }, (_, index) => `${index + 1},`).join('');
  for (const reader of [live, late, after]) expect(textOf(await reader.until('final'))).toBe(expected);
});

test('[WATCH-2] every cursor resumes at what follows it, and the final one answers 204', async () => {
  const stream = await raw.write(['a', 'b', 'c', 'd']);
  for (let sequence = 0; sequence <= 4; sequence += 1) {
    const reader = await Sse.connect(raw, events(stream.streamNo), { headers: { 'last-event-id': `1.${sequence}` } });
    const seen = await reader.until('final');
    expect(textOf(seen, sequence)).toBe('abcd'.slice(sequence));
    expect(seen.at(-1)?.id).toBe('1.4.f');
  }
  const done = await raw.call('GET', events(stream.streamNo), { headers: { accept: 'text/event-stream', 'last-event-id': '1.4.f' } });
  expect(done.status).toBe(204);
});

test('[WATCH-2] Last-Event-ID wins over from, and a malformed cursor is told', async () => {
  const stream = await raw.write(['a', 'b']);
  const both = await Sse.connect(raw, `${events(stream.streamNo)}?from=1.0`, { headers: { 'last-event-id': '1.1' } });
  expect(textOf(await both.until('final'), 1)).toBe('b');
  const from = await Sse.connect(raw, `${events(stream.streamNo)}?from=1.1`);
  expect(textOf(await from.until('final'), 1)).toBe('b');
  for (const cursor of ['x', '1', '1.x', '-1.2', '1.2.g']) {
    const answer = await raw.call('GET', `${events(stream.streamNo)}?from=${cursor}`);
    expect([cursor, answer.status, answer.json?.code]).toEqual([cursor, 400, 'CURSOR_INVALID']);
  }
});

test('[WATCH-2] a cursor of an epoch that was kept goes on, one of an epoch that was dropped rewinds', async () => {
  const stream = await raw.open();
  await raw.append(stream, { fragments: [{ seq: 1, data: 'a' }, { seq: 2, data: 'b' }] });
  const kept = await raw.post(stream, 'retries', { attemptId: crypto.randomUUID(), keep: 'all' }, target.apiKey);
  const second = { ...stream, writeToken: kept.json.writeToken as string };
  await raw.append(second, { seq: 3, data: 'c' });
  const going = await Sse.connect(raw, events(stream.streamNo), { headers: { 'last-event-id': '1.2' } });
  expect((await going.until('fragment')).at(-1)?.data).toMatchObject({ from: 3, text: 'c', cursor: '2.3' });
  going.close();
  const dropped = await raw.post(second, 'retries', { attemptId: crypto.randomUUID(), keep: 'none' }, target.apiKey);
  const third = { ...stream, writeToken: dropped.json.writeToken as string };
  await raw.append(third, { seq: 1, data: 'new' });
  await raw.verdict(third, 'end', { lastSeq: 1 });
  const rewound = await Sse.connect(raw, events(stream.streamNo), { headers: { 'last-event-id': '1.2' } });
  const seen = await rewound.until('final');
  expect(seen.find(({ event }) => event === 'rewind')).toMatchObject({ id: '3.0', data: { epoch: 3 } });
  expect(textOf(seen, 2)).toBe('new');
});

test('[WATCH-2] [LINK-2] a cursor ahead of the log is not silently taken', async () => {
  const stream = await raw.open();
  await raw.append(stream, { seq: 1, data: 'a' });
  const answer = await raw.call('GET', `${events(stream.streamNo)}?from=1.99`);
  expect([answer.status, answer.json.code, answer.json.next]).toEqual([409, 'CURSOR_UNKNOWN', 'resume']);
});

test('[WATCH-3] behind the head fragments merge into one shape', async () => {
  const stream = await raw.write(['a', 'b', 'c']);
  const reader = await Sse.connect(raw, events(stream.streamNo));
  const fragments = (await reader.until('final')).filter(({ event }) => event === 'fragment');
  expect(fragments.map(({ data }) => data)).toEqual([expect.objectContaining({ from: 1, to: 3, text: 'abc', cursor: '1.3' })]);
});

test('[WATCH-3] a reader that asks for a pace gets fewer, larger events', async () => {
  const stream = await raw.open();
  const reader = await Sse.connect(raw, `${events(stream.streamNo)}?intervalMs=200`);
  for (let seq = 1; seq <= 30; seq += 1) await raw.append(stream, { seq, data: '.' });
  await raw.verdict(stream, 'end', { lastSeq: 30 });
  const seen = await reader.until('final');
  expect(textOf(seen)).toBe('.'.repeat(30));
  expect(seen.filter(({ event }) => event === 'fragment').length).toBeLessThan(15);
});

test('[WATCH-8] a disconnect is never a cancel', async () => {
  const stream = await raw.open();
  const reader = await Sse.connect(raw, events(stream.streamNo));
  await reader.until('stream');
  reader.close();
  await raw.append(stream, { seq: 1, data: 'still open' });
  expect(await raw.verdict(stream, 'end', { lastSeq: 1 })).toMatchObject({ status: 'ended' });
});

test('[WATCH-8] cancel needs its own scope, and readers learn of it', async () => {
  const stream = await raw.open();
  const reader = await Sse.connect(raw, events(stream.streamNo), { token: stream.readToken });
  const refused = await raw.post(stream, 'cancel', {}, stream.readToken);
  expect([refused.status, refused.json.code]).toEqual([403, 'FORBIDDEN']);
  await raw.post(stream, 'cancel', { reason: 'enough' }, target.apiKey);
  expect((await reader.until('final')).at(-1)?.data).toMatchObject({ status: 'cancelled', reason: 'enough' });
});

test('[WATCH-9] final carries everything needed to check the content, and nothing follows it', async () => {
  const digest = createHash('sha256').update('ab').digest('hex');
  const stream = await raw.open();
  await raw.append(stream, { fragments: [{ seq: 1, data: 'a' }, { seq: 2, data: 'b' }] });
  const verdict = await raw.verdict(stream, 'end', { lastSeq: 2, digest, metadata: { model: 'm' } });
  const reader = await Sse.connect(raw, events(stream.streamNo));
  const final = (await reader.until('final')).at(-1);
  expect(final?.data).toMatchObject({ status: 'ended', reason: '', sequence: 2, bytes: 2, checksum: verdict.checksum, digest, metadata: { model: 'm' } });
  expect(await reader.next()).toBeNull();
});

test('[WATCH-11] an event stream begins at once, may not be buffered, and names no event that EventSource uses itself', async () => {
  const stream = await raw.open();
  const reader = await Sse.connect(raw, events(stream.streamNo));
  const first = await reader.next();
  expect(first).toMatchObject({ event: 'stream', data: { status: 'open', attempt: 1 } });
  expect(reader.comments[0]).toMatch(/^retry: ?\d+$/);
  const { headers } = reader.response;
  expect(headers.get('content-type')).toMatch(/^text\/event-stream/);
  expect(headers.get('cache-control')).toBe('no-cache, no-transform');
  expect(headers.get('x-accel-buffering')).toBe('no');
  reader.close();
});

test('EventSource may carry a read token in the query, but never a key or a token that writes', async () => {
  const stream = await raw.write(['x']);
  const asked = async (token: string): Promise<number> => {
    const response = await fetch(`${target.url}${events(stream.streamNo)}?token=${token}`);
    await response.body?.cancel();
    return response.status;
  };
  expect(await asked(stream.readToken)).toBe(200);
  expect(await asked(target.apiKey)).toBe(401);
  expect(await asked(stream.writeToken)).toBe(403);
});

test('content is a plain file once ended: length, strong ETag, digest, ranges', async () => {
  const text = 'The quick brown fox jumps over the lazy dog';
  const stream = await raw.open();
  await raw.append(stream, { fragments: [...text].map((data, index) => ({ seq: index + 1, data })) });
  const digest = createHash('sha256').update(text).digest();
  await raw.verdict(stream, 'end', { lastSeq: text.length, digest: digest.toString('hex') });
  const path = `/v1/watch/${stream.streamNo}/content`;
  const whole = await raw.call('GET', path);
  expect([whole.status, whole.text]).toEqual([200, text]);
  const etag = whole.headers.get('etag') ?? '';
  expect(etag).toMatch(/^"[^"]+"$/);
  expect(whole.headers.get('repr-digest')).toBe(`sha-256=:${digest.toString('base64')}:`);
  expect(whole.headers.get('x-content-type-options')).toBe('nosniff');
  expect(whole.headers.get('content-disposition')).toContain(stream.streamNo);
  for (const [range, from, to] of [['bytes=4-8', 4, 9], ['bytes=40-', 40, 43], ['bytes=-3', 40, 43]] as const) {
    const part = await raw.call('GET', path, { headers: { range } });
    expect([part.status, part.text]).toEqual([206, text.slice(from, to)]);
    expect(part.headers.get('content-range')).toBe(`bytes ${from}-${to - 1}/43`);
  }
  const beyond = await raw.call('GET', path, { headers: { range: 'bytes=99-' } });
  expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */43']);
  expect((await raw.call('GET', path, { headers: { 'if-none-match': etag } })).status).toBe(304);
});

test('content without live is what is there now, with live it goes on until final', async () => {
  const stream = await raw.open();
  await raw.append(stream, { seq: 1, data: 'now ' });
  const reader = await Sse.connect(raw, events(stream.streamNo));
  await reader.until('fragment');
  reader.close();
  expect((await raw.call('GET', `/v1/watch/${stream.streamNo}/content`)).text).toBe('now ');
  const live = raw.content(stream.streamNo);
  await raw.append(stream, { seq: 2, data: 'and later' });
  await raw.verdict(stream, 'end', { lastSeq: 2 });
  expect(await live).toBe('now and later');
});

test('the state of a stream is one shape, in the list of streams too', async () => {
  const channel = `list-${crypto.randomUUID()}`;
  const stream = await raw.write(['a', 'b'], { channel, metadata: { user: 'u1' } });
  const state = await raw.state(stream.streamNo);
  expect(state).toMatchObject({
    streamNo: stream.streamNo, status: 'ended', channel, class: 'interactive', merge: 'text', epoch: 1, sequence: 2, bytes: 2,
    attempts: [{ epoch: 1, outcome: 'ended' }], final: { status: 'ended', sequence: 2 }, metadata: { user: 'u1' },
  });
  const open = await raw.open({ channel });
  const list = async (query: string): Promise<string[]> => {
    const { json } = await raw.call('GET', `/v1/admin/streams?channel=${channel}${query}`);
    return json.streams.map(({ streamNo }: { streamNo: string }) => streamNo);
  };
  // The list follows the log: it may lag a moment.
  await eventually(async () => expect(await list('&status=open')).toEqual([open.streamNo]));
  expect((await list('')).sort()).toEqual([stream.streamNo, open.streamNo].sort());
  expect(await list('&status=open')).toEqual([open.streamNo]);
  expect(await list('&status=ended')).toEqual([stream.streamNo]);
  const page = await raw.call('GET', `/v1/admin/streams?channel=${channel}&limit=1`);
  expect([page.json.streams.length, typeof page.json.next]).toEqual([1, 'string']);
});

test('a channel feed carries present and future streams', async () => {
  const channel = `feed-${crypto.randomUUID()}`;
  const present = await raw.write(['old'], { channel });
  const feed = await Sse.connect(raw, `/v1/watch/channels/${channel}/events`);
  const first = await feed.until('final');
  expect(first.every(({ data }) => data.streamNo === present.streamNo)).toBe(true);
  expect(textOf(first)).toBe('old');
  const future = await raw.open({ channel });
  await raw.append(future, { seq: 1, data: 'new' });
  const second = await feed.until('fragment');
  expect(second.at(-1)?.data).toMatchObject({ streamNo: future.streamNo, text: 'new' });
  feed.close();
});

test('[WATCH-12] a channel feed that drops after any event continues with Last-Event-ID: nothing twice, nothing missing, streams opened meanwhile too', async () => {
  const channel = `resume-${crypto.randomUUID()}`;
  const feed = `/v1/watch/channels/${channel}/events`;
  const texts = new Map<string, string>();
  const last = new Map<string, number>();
  let finals = 0;
  let cursor = '';
  /** Reads so many events on a connection of its own, and drops it. */
  const read = async (events: number): Promise<void> => {
    const connection = await Sse.connect(raw, feed, cursor === '' ? {} : { headers: { 'last-event-id': cursor } });
    for (let n = 0; n < events; n += 1) {
      const { event, id, data } = (await connection.next())!;
      expect(id).not.toBe('');
      cursor = id;
      if (event === 'final') finals += 1;
      if (event !== 'fragment') continue;
      expect(data.from).toBe((last.get(data.streamNo) ?? 0) + 1);
      last.set(data.streamNo, data.to);
      texts.set(data.streamNo, (texts.get(data.streamNo) ?? '') + data.text);
    }
    connection.close();
  };
  const first = await raw.open({ channel });
  await read(1);
  await raw.append(first, { fragments: [{ seq: 1, data: 'a' }, { seq: 2, data: 'b', lane: 'x' }, { seq: 3, data: 'c' }] });
  await read(2);
  const second = await raw.open({ channel, class: 'bulk' });
  await raw.append(second, { seq: 1, data: 'Z' });
  await read(3);
  await raw.verdict(second, 'end', { lastSeq: 1 });
  await raw.append(first, { seq: 4, data: 'd' });
  const third = await raw.write(['whole'], { channel });
  await read(1);
  await raw.verdict(first, 'end', { lastSeq: 4 });
  while (finals < 3) await read(2);
  expect([...texts]).toEqual(expect.arrayContaining([[first.streamNo, 'abcd'], [second.streamNo, 'Z'], [third.streamNo, 'whole']]));
  const now = await Sse.connect(raw, `${feed}?from=now`);
  expect(await now.next()).toMatchObject({ event: 'reset', data: { reason: 'now', streams: [] } });
  now.close();
});

test('[WATCH-3] lanes: each in order, none mixed into another, the same live and late', async () => {
  const stream = await raw.open();
  const live = await Sse.connect(raw, events(stream.streamNo));
  const expected: Record<string, string> = { text: '', thought: '' };
  for (let seq = 1; seq <= 40; seq += 1) {
    const lane = seq % 3 === 0 ? 'thought' : 'text';
    expected[lane] += `${seq} `;
    await raw.append(stream, { seq, data: `${seq} `, lane });
  }
  await raw.verdict(stream, 'end', { lastSeq: 40 });
  for (const reader of [live, await Sse.connect(raw, events(stream.streamNo))]) {
    const seen = (await reader.until('final')).filter(({ event }) => event === 'fragment');
    const told: Record<string, string> = { text: '', thought: '' };
    let last = 0;
    for (const { data } of seen) {
      expect(data.from).toBe(last + 1);
      last = data.to;
      told[data.lane] += data.text;
    }
    expect(told).toEqual(expected);
  }
});

test('[WATCH-3] `latest`: a reader behind the head gets the newest value of each lane, in far fewer events, never an older one after it', async () => {
  const stream = await raw.open({ contentType: 'application/json', merge: 'latest' });
  const paced = await Sse.connect(raw, `${events(stream.streamNo)}?intervalMs=150`);
  const count = 120;
  for (let seq = 1; seq <= count; seq += 2) {
    await raw.append(stream, { fragments: [{ seq, data: seq, lane: 'bid' }, { seq: seq + 1, data: seq + 1, lane: 'ask' }] });
  }
  await raw.verdict(stream, 'end', { lastSeq: count });
  const late = await Sse.connect(raw, events(stream.streamNo));
  for (const [reader, most] of [[paced, count / 2], [late, 2]] as const) {
    const seen = await reader.until('final');
    const values = seen.filter(({ event }) => event === 'fragment').map(({ data }) => data);
    expect(values.length).toBeLessThanOrEqual(most);
    let last = 0;
    for (const { from, to, items } of values) {
      // The newest of what it covers: sequence and value are the same number here.
      expect([from, items]).toEqual([last + 1, [to]]);
      last = to;
    }
    expect(values.filter(({ lane }) => lane === 'bid').at(-1).items).toEqual([count - 1]);
    expect(values.filter(({ lane }) => lane === 'ask').at(-1).items).toEqual([count]);
    expect(seen.at(-1)?.data).toMatchObject({ status: 'ended', sequence: count });
  }
});

test('progress: readers of long content know its size while it comes, from metadata.sizeBytes or from the Content-Length of a pipe', async () => {
  const sizeBytes = 20;
  const stream = await raw.open({ contentType: 'application/octet-stream', metadata: { sizeBytes, name: 'a.bin' } });
  const reader = await Sse.connect(raw, events(stream.streamNo));
  await raw.append(stream, { seq: 1, base64: Buffer.alloc(5).toString('base64') });
  const [introduced, first] = await reader.until('fragment');
  expect(Buffer.from(first?.data.base64, 'base64').length / introduced?.data.metadata.sizeBytes).toBe(0.25);
  reader.close();
  expect(await raw.state(stream.streamNo)).toMatchObject({ bytes: 5, metadata: { sizeBytes } });
  const live = await raw.response('GET', `/v1/watch/${stream.streamNo}/content?live`);
  expect([live.headers.get('stream-size-bytes'), live.headers.get('content-length')]).toEqual(['20', null]);
  await raw.append(stream, { seq: 2, base64: Buffer.alloc(15).toString('base64') });
  await raw.verdict(stream, 'end', { lastSeq: 2 });
  expect((await live.arrayBuffer()).byteLength).toBe(sizeBytes);
  const ended = await raw.call('GET', `/v1/watch/${stream.streamNo}/content`);
  expect([ended.headers.get('stream-size-bytes'), ended.headers.get('content-length')]).toEqual([null, '20']);
  const piped = await raw.call('PUT', '/v1/pipe', { body: 'seven 7', headers: { 'content-type': 'text/plain' } });
  const [{ streamNo }] = piped.text.split('\n').map((line) => JSON.parse(line || 'null') as { streamNo: string }) as [{ streamNo: string }];
  expect(await raw.state(streamNo)).toMatchObject({ bytes: 7, metadata: { sizeBytes: 7 } });
});
