import { gzipSync } from 'node:zlib';
import { crc32 } from 'node:zlib';
import { Raw, Sse, textOf } from './raw';
import { suiteTarget } from './target';

const target = suiteTarget();
const raw = new Raw(target);

const uuid = (): string => crypto.randomUUID();
function uuidV7(time: number): string {
  const hex = time.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7${uuid().slice(15)}`;
}

test('an open answers with the stream, its tokens and where everything is', async () => {
  const answer = await raw.call('POST', '/v1/streams', { json: { channel: 'c1', contentType: 'text/markdown' } });
  expect(answer.status).toBe(201);
  expect(answer.json).toMatchObject({ epoch: 1, writeToken: expect.any(String), readToken: expect.any(String) });
  expect(answer.headers.get('location')).toContain(answer.json.streamNo);
  for (const link of Object.values(answer.json.links as Record<string, string>)) expect(link).toContain(answer.json.streamNo);
});

test('[APPEND-1] an acknowledgement names its sequences, and end answers with the verdict of the log', async () => {
  const stream = await raw.open();
  expect((await raw.append(stream, { seq: 1, data: 'Hello, ' })).json).toEqual({ from: 1, to: 1 });
  expect((await raw.append(stream, { fragments: [{ seq: 2, data: 'wor' }, { seq: 3, data: 'ld' }] })).json).toEqual({ from: 2, to: 3 });
  const checksum = crc32('Hello, world');
  const end = await raw.post(stream, 'end', { lastSeq: 3, checksum });
  expect(end.status).toBe(200);
  expect(end.json).toMatchObject({ streamNo: stream.streamNo, status: 'ended', sequence: 3, bytes: 12, checksum });
  expect(await raw.content(stream.streamNo)).toBe('Hello, world');
});

test('[APPEND-1] unnumbered appends are counted', async () => {
  const stream = await raw.open();
  expect((await raw.append(stream, { data: 'a' })).json).toEqual({ count: 1 });
  expect((await raw.append(stream, { fragments: [{ data: 'b' }, { data: 'c' }] })).json).toEqual({ count: 2 });
  await raw.verdict(stream, 'end', {});
  expect(await raw.content(stream.streamNo)).toBe('abc');
});

test('[APPEND-2] [JUDGE-5] what two connections reorder comes out in order', async () => {
  const stream = await raw.open();
  const texts = Array.from({ length: 60 }, (_, index) => `${index + 1} `);
  const order = texts.map((_, index) => index + 1).sort(() => Math.random() - 0.5);
  const connection = async (own: number[]): Promise<void> => {
    for (const seq of own) expect((await raw.append(stream, { seq, data: texts[seq - 1] })).status).toBe(200);
  };
  await Promise.all([connection(order.slice(0, 30)), connection(order.slice(30))]);
  await raw.verdict(stream, 'end', { lastSeq: 60 });
  expect(await raw.content(stream.streamNo)).toBe(texts.join(''));
});

test('[APPEND-3] resending acknowledged fragments, packed in another way, changes nothing', async () => {
  const stream = await raw.open();
  for (let seq = 1; seq <= 6; seq += 1) await raw.append(stream, { seq, data: `${seq}` });
  expect((await raw.append(stream, { fragments: [3, 4, 5, 6, 7].map((seq) => ({ seq, data: `${seq}` })) })).status).toBe(200);
  expect((await raw.append(stream, { seq: 1, data: '1' })).status).toBe(200);
  expect(await raw.verdict(stream, 'end', { lastSeq: 7 })).toMatchObject({ status: 'ended', sequence: 7, bytes: 7 });
  expect(await raw.content(stream.streamNo)).toBe('1234567');
});

test('[APPEND-4] repeating end, abort and cancel answers 200 again', async () => {
  const ended = await raw.open();
  await raw.append(ended, { seq: 1, data: 'x' });
  for (let n = 0; n < 2; n += 1) expect((await raw.post(ended, 'end', { lastSeq: 1 })).status).toBe(200);
  const aborted = await raw.open();
  for (let n = 0; n < 2; n += 1) expect((await raw.post(aborted, 'abort', { code: 'MODEL_GONE', message: 'm' })).status).toBe(200);
  const cancelled = await raw.open();
  for (let n = 0; n < 2; n += 1) expect((await raw.post(cancelled, 'cancel', { reason: 'r' }, target.apiKey)).status).toBe(200);
  expect((await raw.state(aborted.streamNo)).final).toMatchObject({ status: 'failed', reason: 'MODEL_GONE', message: 'm' });
  expect((await raw.state(cancelled.streamNo)).status).toBe('cancelled');
});

test('[APPEND-6] a final stream takes nothing more and says what it is', async () => {
  const stream = await raw.write(['done']);
  for (const [verb, body] of [['fragments', { seq: 2, data: 'more' }], ['abort', { code: 'X' }], ['cancel', {}]] as const) {
    const answer = await raw.post(stream, verb, body, verb === 'cancel' ? target.apiKey : stream.writeToken);
    expect({ verb, status: answer.status, code: answer.json.code }).toEqual({ verb, status: 409, code: 'STREAM_FINAL' });
    expect(answer.text).toContain('ended');
  }
});

test('[APPEND-8] [APPEND-12] a retry takes over: its answer says where to go on, the old producer is fenced', async () => {
  const stream = await raw.open();
  await raw.append(stream, { fragments: [{ seq: 1, data: 'ab' }, { seq: 2, data: 'c' }] });
  const attemptId = uuid();
  const retry = await raw.post(stream, 'retries', { attemptId, keep: 'all', reason: 'restart' }, target.apiKey);
  expect(retry.status).toBe(201);
  expect(retry.json).toMatchObject({ epoch: 2, next: 3, bytes: 3, checksum: crc32('abc'), writeToken: expect.any(String) });
  const again = await raw.post(stream, 'retries', { attemptId, keep: 'all', reason: 'restart' }, target.apiKey);
  expect([again.status, again.json.epoch]).toEqual([201, 2]);
  const stale = await raw.append(stream, { seq: 3, data: 'STALE' });
  expect([stale.status, stale.json.code]).toEqual([409, 'STALE_EPOCH']);
  const second = { ...stream, writeToken: retry.json.writeToken as string };
  expect((await raw.append(second, { seq: 3, data: 'd' })).status).toBe(200);
  expect(await raw.verdict(second, 'end', { lastSeq: 3 })).toMatchObject({ status: 'ended', sequence: 3, bytes: 4 });
  expect(await raw.content(stream.streamNo)).toBe('abcd');
});

test('[APPEND-12] after keep none sequences start at 1 and readers are told to rewind', async () => {
  const stream = await raw.open();
  await raw.append(stream, { seq: 1, data: 'wrong' });
  const reader = await Sse.connect(raw, `/v1/watch/${stream.streamNo}/events`);
  const before = await reader.until('fragment');
  const retry = await raw.post(stream, 'retries', { attemptId: uuid(), keep: 'none' }, target.apiKey);
  expect(retry.json).toMatchObject({ epoch: 2, next: 1, bytes: 0, checksum: 0 });
  const second = { ...stream, writeToken: retry.json.writeToken as string };
  await raw.append(second, { seq: 1, data: 'right' });
  await raw.verdict(second, 'end', { lastSeq: 1 });
  const after = await reader.until('final');
  expect(after.find(({ event }) => event === 'rewind')?.data).toMatchObject({ epoch: 2 });
  expect(textOf([...before, ...after])).toBe('right');
  expect(await raw.content(stream.streamNo)).toBe('right');
  reader.close();
});

test('[APPEND-8] of two producers that take over at once, each epoch has one winner', async () => {
  const stream = await raw.open();
  await raw.append(stream, { seq: 1, data: 'a' });
  const token = stream.writeToken;
  const answers = await Promise.all([1, 2].map(() => raw.post(stream, 'retries', { attemptId: uuid() }, token)));
  const statuses = answers.map(({ status }) => status).sort();
  const epochs = answers.filter(({ status }) => status === 201).map(({ json }) => json.epoch as number);
  expect(statuses[0]).toBe(201);
  expect(new Set(epochs).size).toBe(epochs.length);
  for (const { status, json } of answers) if (status !== 201) expect([status, json.code]).toEqual([409, 'RETRY_CONFLICT']);
});

test('[APPEND-9] a text stream takes only valid UTF-8', async () => {
  const stream = await raw.open();
  const path = `/v1/streams/${stream.streamNo}/fragments`;
  const headers = { 'content-type': 'application/octet-stream', 'fragment-seq': '1' };
  const broken = await raw.call('POST', path, { token: stream.writeToken, headers, body: Buffer.from([0x61, 0xff, 0x62]) });
  expect([broken.status, broken.json.code]).toEqual([400, 'UTF8_INVALID']);
  const half = await raw.append(stream, { seq: 1, data: '\ud83c' });
  expect([half.status, half.json.code]).toEqual([400, 'UTF8_INVALID']);
  expect((await raw.call('POST', path, { token: stream.writeToken, headers, body: Buffer.from('红🌊') })).status).toBe(200);
  await raw.verdict(stream, 'end', { lastSeq: 1 });
  expect(await raw.content(stream.streamNo)).toBe('红🌊');
});

test('[APPEND-11] an open with the same Idempotency-Key is the same stream', async () => {
  const v7 = uuidV7(Date.now());
  for (const [key, other] of [[uuid(), uuid()], ['order-4711', 'order-4712'], [v7, uuidV7(Date.now())]] as const) {
    const headers = { 'idempotency-key': key };
    const [first, second] = [await raw.open({}, headers), await raw.open({}, headers)];
    expect(second.streamNo).toBe(first.streamNo);
    expect((await raw.open({}, { 'idempotency-key': other })).streamNo).not.toBe(first.streamNo);
  }
  // Its time would be the time of the stream, whose life is over.
  const old = await raw.call('POST', '/v1/streams', { json: {}, headers: { 'idempotency-key': uuidV7(Date.now() - 90 * 86_400_000) } });
  expect([old.status, old.json.code]).toEqual([400, 'OPTIONS_INVALID']);
});

test('[JUDGE-11] a second run without a retry cannot splice itself in', async () => {
  const stream = await raw.open();
  expect((await raw.append(stream, { seq: 1, data: 'a' }, { 'writer-run': 'run-1' })).status).toBe(200);
  await raw.append(stream, { seq: 2, data: 'OTHER' }, { 'writer-run': 'run-2' });
  await raw.append(stream, { seq: 2, data: 'b' }, { 'writer-run': 'run-1' });
  await raw.verdict(stream, 'end', { lastSeq: 2 });
  expect(await raw.content(stream.streamNo)).toBe('ab');
});

test('[JUDGE-4] a stream that mixes numbered and unnumbered appends fails, and says so', async () => {
  const stream = await raw.open();
  await raw.append(stream, { seq: 1, data: 'a' });
  await raw.append(stream, { data: 'b' });
  const reader = await Sse.connect(raw, `/v1/watch/${stream.streamNo}/events`);
  const final = (await reader.until('final')).at(-1);
  expect(final?.data).toMatchObject({ status: 'failed', reason: 'NUMBERING_MIXED' });
});

test('[JUDGE-5] a fragment too far ahead fails the stream', async () => {
  const stream = await raw.open({ limits: { heldFragmentsMax: 4 } });
  await raw.append(stream, { seq: 1, data: 'a' });
  for (let seq = 3; seq <= 8; seq += 1) await raw.append(stream, { seq, data: 'x' });
  const reader = await Sse.connect(raw, `/v1/watch/${stream.streamNo}/events`);
  expect((await reader.until('final')).at(-1)?.data).toMatchObject({ status: 'failed', reason: 'GAP_TOO_LARGE', sequence: 1 });
});

test('[JUDGE-7] an end that does not agree with the fragments, or with their checksum, fails the stream', async () => {
  const short = await raw.open();
  await raw.append(short, { fragments: [{ seq: 1, data: 'a' }, { seq: 2, data: 'b' }] });
  const mismatch = await raw.post(short, 'end', { lastSeq: 1 });
  expect([mismatch.status, mismatch.json.code]).toEqual([409, 'END_MISMATCH']);
  const changed = await raw.open();
  await raw.append(changed, { seq: 1, data: 'a' });
  const checksum = await raw.post(changed, 'end', { lastSeq: 1, checksum: 12345 });
  expect([checksum.status, checksum.json.code]).toEqual([409, 'CHECKSUM_MISMATCH']);
  expect((await raw.state(changed.streamNo)).final).toMatchObject({ status: 'failed', reason: 'CHECKSUM_MISMATCH' });
});

test('[JUDGE-7] an end before a missing fragment waits for it', async () => {
  const stream = await raw.open();
  await raw.append(stream, { seq: 2, data: 'b' });
  const ending = raw.post(stream, 'end', { lastSeq: 2 });
  await raw.append(stream, { seq: 1, data: 'a' });
  const first = await ending;
  expect([200, 202]).toContain(first.status);
  expect(await raw.verdict(stream, 'end', { lastSeq: 2 })).toMatchObject({ status: 'ended', sequence: 2 });
  expect(await raw.content(stream.streamNo)).toBe('ab');
});

test('JSON streams carry any JSON value, one by one', async () => {
  const stream = await raw.open({ contentType: 'application/json' });
  const values = [{ a: 1 }, [1, 2], 'text', 3.5, true, null];
  for (const [index, data] of values.entries()) expect((await raw.append(stream, { seq: index + 1, data })).status).toBe(200);
  await raw.verdict(stream, 'end', { lastSeq: values.length });
  const reader = await Sse.connect(raw, `/v1/watch/${stream.streamNo}/events`);
  const events = await reader.until('final');
  expect(events.filter(({ event }) => event === 'fragment').flatMap(({ data }) => data.items)).toEqual(values);
});

test('bytes go in as base64 or as they are, and come out the same', async () => {
  const stream = await raw.open({ contentType: 'application/octet-stream' });
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
  await raw.append(stream, { seq: 1, base64: bytes.toString('base64') });
  const headers = { 'content-type': 'application/octet-stream', 'fragment-seq': '2' };
  const answer = await raw.call('POST', `/v1/streams/${stream.streamNo}/fragments`, { token: stream.writeToken, headers, body: bytes });
  expect(answer.json).toEqual({ from: 2, to: 2 });
  await raw.verdict(stream, 'end', { lastSeq: 2 });
  const content = await (await raw.response('GET', `/v1/watch/${stream.streamNo}/content`)).arrayBuffer();
  expect(Buffer.from(content)).toEqual(Buffer.concat([bytes, bytes]));
});

test('gzip bodies are taken', async () => {
  const stream = await raw.open();
  const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
  const body = gzipSync(JSON.stringify({ seq: 1, data: 'packed' }));
  const answer = await raw.call('POST', `/v1/streams/${stream.streamNo}/fragments`, { token: stream.writeToken, headers, body });
  expect([answer.status, answer.json]).toEqual([200, { from: 1, to: 1 }]);
});

test('[APPEND-7] heartbeat answers while the stream is open, and tells of a cancel afterwards', async () => {
  const stream = await raw.open();
  expect((await raw.post(stream, 'heartbeat')).status).toBeLessThan(300);
  await raw.post(stream, 'cancel', { reason: 'enough' }, target.apiKey);
  const told = await raw.post(stream, 'heartbeat');
  expect([told.status, told.json.code]).toEqual([409, 'STREAM_FINAL']);
  expect(told.text).toContain('cancelled');
});

test('[APPEND-7] [JUDGE-8] silence past the lease makes a stream lost, an append revives it', async () => {
  const stream = await raw.open({ leaseMs: 1000 });
  const reader = await Sse.connect(raw, `/v1/watch/${stream.streamNo}/events`);
  await reader.until('lost');
  expect((await raw.state(stream.streamNo)).status).toBe('lost');
  await raw.append(stream, { seq: 1, data: 'back' });
  const events = await reader.until('resumed');
  expect(events.at(-1)?.event).toBe('resumed');
  reader.close();
});
