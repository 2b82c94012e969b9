import { gzipSync } from 'node:zlib';
import { request as httpRequest } from 'node:http';
import { randomBytes } from 'node:crypto';
import { issueStreamNo } from '@rivulet/protocol';
import { hmac } from '@rivulet/service';
import { eventually } from '../../../test/support/eventually';
import { bearer, startIngest, VIEWER_KEY } from '../../../test/support/ingest-app';
import type { Answer, IngestApp } from '../../../test/support/ingest-app';

let app: IngestApp;
/** For what comes too late: in the other one nothing does, however slow the machine is. */
let hurried: IngestApp;
beforeAll(async () => {
  app = await startIngest({ RIVULET_INGEST_BODY_IDLE_MS_MAX: '60000', RIVULET_INGEST_PROJECTION_MS_MAX: '30000' });
  hurried = await startIngest({ RIVULET_INGEST_BODY_IDLE_MS_MAX: '200', RIVULET_INGEST_PROJECTION_MS_MAX: '300' });
});
afterAll(() => Promise.all([app.stop(), hurried.stop()]));

const text = (streamNo: string): string => app.owner.content(streamNo).toString('utf8');
const fragments = (streamNo: string): string => `/v1/streams/${streamNo}/fragments`;

/** Begins a request whose body does not go on. @returns the answer that comes all the same */
function begun({ url }: IngestApp, streamNo: string, headers: Record<string, string>, start: string | Buffer = 'slow'): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url + fragments(streamNo), { method: 'POST', headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part) => (body += part)).on('end', () => resolve(`${response.statusCode} ${body}`));
    });
    request.on('error', reject);
    request.write(start);
  });
}

test('[APPEND-1] an acknowledged fragment is durable: the log has it', async () => {
  const { streamNo, writeToken } = await app.open();
  const answer = await app.post(fragments(streamNo), { seq: 1, data: '你好, ' }, bearer(writeToken));
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({ from: 1, to: 1 });
  const batch = await Promise.all([0, 1, 2, 3].map((partition) => app.log.scan(app.topics.fragments, partition, 0)));
  const kept = batch.flatMap(({ records }) => records).filter((record) => record.key === streamNo);
  expect(kept).toHaveLength(2);
  await eventually(() => expect(text(streamNo)).toBe('你好, '));
});

test('[APPEND-2] an acknowledgement names the sequences of its own request', async () => {
  const { streamNo, writeToken } = await app.open();
  const body = { seq: 1, fragments: [{ data: 'a' }, { data: 'b' }, { seq: 3, data: 'c' }] };
  expect((await app.post(fragments(streamNo), body, bearer(writeToken))).body).toEqual({ from: 1, to: 3 });
  const jump = await app.post(fragments(streamNo), { fragments: [{ seq: 4, data: 'd' }, { seq: 6, data: 'f' }] }, bearer(writeToken));
  expect(jump).toMatchObject({ status: 400, body: { code: 'BODY_INVALID', place: 'fragments[1].seq' } });
});

test('[APPEND-3] a resent fragment is acknowledged again and stored once', async () => {
  const { streamNo, writeToken } = await app.open();
  for (let time = 0; time < 3; time += 1) {
    expect((await app.post(fragments(streamNo), { seq: 1, data: 'once' }, bearer(writeToken))).body).toEqual({ from: 1, to: 1 });
  }
  await app.post(fragments(streamNo), { seq: 2, data: '.' }, bearer(writeToken));
  await eventually(() => expect(text(streamNo)).toBe('once.'));
});

test('[JUDGE-4] unnumbered fragments are counted and kept in the order they came', async () => {
  const { streamNo, writeToken } = await app.open();
  for (const part of ['one ', 'two ']) expect((await app.post(fragments(streamNo), { data: part }, bearer(writeToken))).body).toEqual({ count: 1 });
  const both = await app.post(fragments(streamNo), { fragments: [{ data: 'three ' }, { data: 'four' }] }, bearer(writeToken));
  expect(both.body).toEqual({ count: 2 });
  await eventually(() => expect(text(streamNo)).toBe('one two three four'));
});

test('octet-stream bodies are one fragment with Fragment-Seq, gunzipped when they say gzip', async () => {
  const { streamNo, writeToken } = await app.open({ contentType: 'application/octet-stream' });
  const headers = { ...bearer(writeToken), 'content-type': 'application/octet-stream' };
  const bytes = randomBytes(5000);
  expect((await app.post(fragments(streamNo), bytes, { ...headers, 'fragment-seq': '1' })).body).toEqual({ from: 1, to: 1 });
  const zipped = { ...headers, 'fragment-seq': '2', 'content-encoding': 'gzip' };
  expect((await app.post(fragments(streamNo), gzipSync(bytes), zipped)).body).toEqual({ from: 2, to: 2 });
  const broken = await app.post(fragments(streamNo), Buffer.from('not gzip at all'), { ...zipped, 'fragment-seq': '3' });
  expect(broken).toMatchObject({ status: 400, body: { code: 'BODY_INVALID' } });
  await eventually(() => expect(app.owner.content(streamNo).equals(Buffer.concat([bytes, bytes]))).toBe(true));
});

test('[NO-2] a streamNo that was made up, altered or issued elsewhere is refused before its body is read', async () => {
  const { streamNo, writeToken } = await app.open();
  const last = streamNo.at(-1) === '0' ? '1' : '0';
  const foreign = issueStreamNo({ time: Date.now(), partition: 1, random: randomBytes(5) }, hmac(randomBytes(32)));
  for (const no of ['my-message-17', streamNo.slice(0, -1) + last, foreign]) {
    const answer = await app.post(fragments(no), 'this is not even JSON', bearer(writeToken));
    expect(answer).toMatchObject({ status: 400, body: { code: 'STREAM_NO_NOT_ISSUED', next: 'stop' } });
    expect(answer.body.detail).toContain('POST /v1/streams');
  }
});

test('a token of another stream, a read token, a viewer and no credential may not write', async () => {
  const { streamNo, readToken } = await app.open();
  const other = await app.open();
  const codes = [];
  for (const credential of [other.writeToken, readToken, VIEWER_KEY, 'nonsense']) {
    codes.push((await app.post(fragments(streamNo), { data: 'x' }, bearer(credential))).body.code);
  }
  codes.push((await app.post(fragments(streamNo), { data: 'x' }, { authorization: '' })).body.code);
  expect(codes).toEqual(['FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN', 'UNAUTHENTICATED', 'UNAUTHENTICATED']);
});

test('[APPEND-6] an expired token is TOKEN_EXPIRED, and STREAM_GONE past ttl + retention', async () => {
  const { streamNo } = await app.open();
  const known = await eventually(() => app.owner.streams.get(streamNo)!.state);
  const facts = { streamNo, open: { ...known.open, ttlMs: 1000, retentionMs: 3_600_000 }, epoch: 1 };
  const expired = await app.frame.auth.mintWrite({ ...facts, openedAt: Date.now() - 60_000 });
  expect((await app.post(fragments(streamNo), { data: 'x' }, bearer(expired))).body.code).toBe('TOKEN_EXPIRED');
  const gone = await app.frame.auth.mintWrite({ ...facts, openedAt: Date.now() - 7_200_000 });
  expect(await app.post(fragments(streamNo), { data: 'x' }, bearer(gone))).toMatchObject({ status: 410, body: { code: 'STREAM_GONE' } });
});

test('[APPEND-6] a stream the table does not show yet is written to by its token; an API key waits and is told', async () => {
  const shown = await hurried.open();
  const known = await eventually(() => hurried.owner.streams.get(shown.streamNo)!.state);
  hurried.owner.isSilent = true;
  const streamNo = hurried.frame.streamNos.issue({ time: Date.now(), partition: 1 });
  const token = await hurried.frame.auth.mintWrite({ streamNo, open: { ...known.open, merge: 'text' }, openedAt: Date.now(), epoch: 1 });
  expect((await hurried.post(fragments(streamNo), { seq: 1, data: 'x' }, bearer(token))).status).toBe(200);
  expect(await hurried.post(fragments(streamNo), { seq: 1, data: 'x' })).toMatchObject({ status: 404, body: { code: 'STREAM_NOT_FOUND' } });
  hurried.owner.isSilent = false;
});

test('[APPEND-12] with an API key the epoch is the current one, or that of Stream-Epoch', async () => {
  const { streamNo } = await hurried.open();
  const append = (seq: number, headers: Record<string, string> = {}): Promise<Answer> => hurried.post(fragments(streamNo), { seq, data: 'a' }, headers);
  // It waits for what is not visible yet, here not for long.
  await eventually(async () => expect((await append(1)).status).toBe(200));
  expect(await append(2, { 'stream-epoch': '2' })).toMatchObject({ status: 409, body: { code: 'EPOCH_UNKNOWN', currentEpoch: 1 } });
  await hurried.post(`/v1/streams/${streamNo}/retries`, { attemptId: 'second' });
  await eventually(async () => expect((await append(2, { 'stream-epoch': '2' })).status).toBe(200));
  expect(await append(3, { 'stream-epoch': '1' })).toMatchObject({ status: 409, body: { code: 'STALE_EPOCH', epoch: 1, currentEpoch: 2 } });
  expect((await append(3, { 'stream-epoch': 'two' })).body.code).toBe('OPTIONS_INVALID');
});

test('[JUDGE-11] the run of the header goes into the log, where another run is refused', async () => {
  const { streamNo, writeToken } = await app.open();
  // At once: neither is durable yet, so only the log can tell which of them holds the epoch.
  await Promise.all([['mine', 'run-a'], ['theirs', 'run-b']].map(([data, run], index) =>
    app.post(fragments(streamNo), { seq: index + 1, data }, { ...bearer(writeToken), 'writer-run': run! })));
  await eventually(() => expect(app.owner.refused.some(({ code }) => code === 'WRITER_CONFLICT')).toBe(true));
  expect(['mine', '']).toContain(text(streamNo)); // '': theirs was first, and waits for a sequence 1 that never comes
});

test('[JUDGE-11] once the log has bound the epoch to a run, another one is told WRITER_CONFLICT instead of being acknowledged', async () => {
  const { streamNo, writeToken } = await app.open();
  const mine = { ...bearer(writeToken), 'writer-run': 'run-a' };
  expect((await app.post(fragments(streamNo), { seq: 1, data: 'mine' }, mine)).status).toBe(200);
  const theirs = { ...bearer(writeToken), 'writer-run': 'run-b' };
  const conflict = { status: 409, body: { code: 'WRITER_CONFLICT', streamNo, epoch: 1 } };
  // Until its owner has published who holds the epoch, the judge alone refuses.
  await eventually(async () => expect(await app.post(fragments(streamNo), { seq: 2, data: 'theirs' }, theirs)).toMatchObject(conflict));
  expect(await app.post(`/v1/streams/${streamNo}/end`, { lastSeq: 1 }, theirs)).toMatchObject(conflict);
  expect((await app.post(fragments(streamNo), { seq: 2, data: ' again' }, mine)).status).toBe(200);
  await eventually(() => expect(text(streamNo)).toBe('mine again'));
});

test('[APPEND-9] text that is not UTF-8 is refused, in octets, in JSON bytes and as half a surrogate pair', async () => {
  const { streamNo, writeToken } = await app.open();
  const octets = { ...bearer(writeToken), 'content-type': 'application/octet-stream' };
  const answers = [
    await app.post(fragments(streamNo), Buffer.from([0xc3, 0x28]), octets),
    await app.post(fragments(streamNo), Buffer.concat([Buffer.from('{"data":"'), Buffer.from([0xff]), Buffer.from('"}')]), bearer(writeToken)),
    await app.post(fragments(streamNo), '{"data":"\\ud83d"}', bearer(writeToken)),
  ];
  for (const answer of answers) expect(answer).toMatchObject({ status: 400, body: { code: 'UTF8_INVALID' } });
});

test('a body that cannot be read names the place', async () => {
  const { streamNo, writeToken } = await app.open();
  const places = [];
  for (const body of [{ fragments: [{ data: 'a' }, { data: 7 }] }, { seq: 0, data: 'a' }, {}, { data: 'a', base64: 'YQ==' }, { base64: 'Y?==' }]) {
    const answer = await app.post(fragments(streamNo), body, bearer(writeToken));
    expect(answer).toMatchObject({ status: 400, body: { code: 'BODY_INVALID' } });
    places.push(answer.body['place']);
  }
  expect(places).toEqual(['fragments[1].data', 'seq', undefined, undefined, 'base64']);
  const malformed = await app.post(fragments(streamNo), '{"data": ', bearer(writeToken));
  expect(malformed.body).toMatchObject({ code: 'BODY_INVALID' });
});

test('a 10 MB fragment is FRAGMENT_TOO_LARGE; one that says it is 100 MB is refused before it is sent', async () => {
  const { streamNo, writeToken } = await app.open({ contentType: 'application/octet-stream' });
  const headers = { ...bearer(writeToken), 'content-type': 'application/octet-stream' };
  const answer = await app.post(fragments(streamNo), Buffer.alloc(10 * 1024 * 1024), headers);
  expect(answer).toMatchObject({ status: 413, body: { code: 'FRAGMENT_TOO_LARGE', fragmentBytesMax: 262_144 } });
  const refusal = await begun(app, streamNo, { ...headers, 'content-length': String(100 * 1024 * 1024) });
  expect(refusal).toContain('413');
  expect(refusal).toContain('FRAGMENT_TOO_LARGE');
});

test('a body that is too large and stops coming is FRAGMENT_TOO_LARGE: sent faster it would be refused as well', async () => {
  const { streamNo, writeToken } = await hurried.open({ contentType: 'application/octet-stream' });
  const headers = { ...bearer(writeToken), 'content-type': 'application/octet-stream' };
  const said = await begun(hurried, streamNo, { ...headers, 'content-length': String(10 * 1024 * 1024) });
  const unsaid = await begun(hurried, streamNo, { ...headers, 'transfer-encoding': 'chunked' }, Buffer.alloc(300_000));
  for (const refusal of [said, unsaid]) expect(refusal).toMatch(/^413 .*FRAGMENT_TOO_LARGE/);
});

test('a body that stops coming is BODY_TIMEOUT', async () => {
  const { streamNo, writeToken } = await hurried.open();
  const headers = { ...bearer(writeToken), 'content-type': 'application/octet-stream', 'content-length': '100' };
  const answer = await begun(hurried, streamNo, headers);
  expect(answer).toContain('408');
  expect(answer).toContain('BODY_TIMEOUT');
});

test('[APPEND-5] while Kafka is away appends are LOG_UNAVAILABLE with Retry-After, within a bound; later they succeed', async () => {
  const away = await startIngest({ RIVULET_INGEST_APPEND_MS_MAX: '200' });
  const { streamNo, writeToken } = await away.open();
  away.log.faults.isAway = true;
  const startedAt = performance.now();
  const answer = await away.post(fragments(streamNo), { seq: 1, data: 'x' }, bearer(writeToken));
  expect(answer).toMatchObject({ status: 503, body: { code: 'LOG_UNAVAILABLE', next: 'retry' } });
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(performance.now() - startedAt).toBeLessThan(30_000);
  away.log.faults.isAway = false;
  await eventually(async () => expect((await away.post(fragments(streamNo), { seq: 1, data: 'x' }, bearer(writeToken))).status).toBe(200));
  await eventually(() => expect(away.owner.content(streamNo).toString()).toBe('x'));
  await away.stop();
});

test('[APPEND-5] a full queue is OVERLOADED with Retry-After', async () => {
  const small = await startIngest({ RIVULET_INGEST_QUEUE_BYTES_MAX: '65536', RIVULET_INGEST_APPEND_MS_MAX: '2000' });
  const { streamNo, writeToken } = await small.open();
  small.log.faults.isAway = true;
  const body = { data: 'x'.repeat(30_000) };
  const answers = await Promise.all([1, 2, 3, 4].map(() => small.post(fragments(streamNo), body, bearer(writeToken))));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThanOrEqual(2);
  expect(refused[0]).toMatchObject({ body: { code: 'OVERLOADED' } });
  expect(Number(refused[0]!.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  await small.stop();
});

test('metrics show what was appended, refused and packed', async () => {
  const metrics = await (await fetch(`${app.url}/metrics`)).text();
  expect(metrics).toMatch(/rivulet_appends_total\{[^}]*\} [1-9]/);
  expect(metrics).toMatch(/rivulet_append_refused_total\{code="BODY_INVALID"[^}]*\} [1-9]/);
  for (const name of ['append_bytes_total', 'append_seconds_count', 'append_queue_bytes', 'producer_connections', 'append_packing_ratio']) {
    expect(metrics).toContain(`rivulet_${name}`);
  }
});
