import http from 'node:http';
import net from 'node:net';
import { eventually } from '../support/eventually';
import { Raw, Sse } from './raw';
import { suiteTarget } from './target';

const target = suiteTarget();
const raw = new Raw(target);

test.each([
  ['malformed JSON', '{"seq":1,', 'application/json', 400, 'BODY_INVALID'],
  ['JSON that is no object', '[1]', 'application/json', 400, 'BODY_INVALID'],
  ['neither data nor base64', '{"seq":1}', 'application/json', 400, 'BODY_INVALID'],
  ['both data and base64', '{"seq":1,"data":"a","base64":"YQ=="}', 'application/json', 400, 'BODY_INVALID'],
  ['a sequence that is none', '{"seq":0,"data":"a"}', 'application/json', 400, 'BODY_INVALID'],
  ['a sequence with a fraction', '{"seq":1.5,"data":"a"}', 'application/json', 400, 'BODY_INVALID'],
  ['bad base64', '{"seq":1,"base64":"###"}', 'application/json', 400, 'BODY_INVALID'],
  ['no fragments', '{"fragments":[]}', 'application/json', 400, 'BODY_INVALID'],
  ['broken UTF-8 in JSON', Buffer.from('7b22736571223a312c2264617461223a22ff227d', 'hex'), 'application/json', 400, 'UTF8_INVALID'],
  ['a type nobody knows', 'x', 'application/xml', 415, 'CONTENT_TYPE_UNSUPPORTED'],
])('%s is answered with its code and place, and the stream goes on', async (_, body, contentType, status, code) => {
  const stream = await raw.open();
  const path = `/v1/streams/${stream.streamNo}/fragments`;
  const answer = await raw.call('POST', path, { token: stream.writeToken, body, headers: { 'content-type': contentType } });
  expect([answer.status, answer.json?.code]).toEqual([status, code]);
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(answer.json).toMatchObject({ status, next: 'stop', detail: expect.any(String), requestId: expect.any(String) });
  expect((await raw.append(stream, { seq: 1, data: 'fine' })).status).toBe(200);
});

test.each([
  [{ leaseMs: 5 }, 'leaseMs'], [{ class: 'urgent' }, 'class'], [{ channel: 5 }, 'channel'], [{ unknown: 1 }, 'unknown'],
  [{ ttlMs: 10 ** 12 }, 'ttl'], [{ limits: { attemptsMax: 0 } }, 'attemptsMax'], [{ contentType: 'no type' }, 'contentType'],
])('open options %j are refused by name', async (options, name) => {
  const answer = await raw.call('POST', '/v1/streams', { json: options });
  expect([answer.status, answer.json.code]).toEqual([400, 'OPTIONS_INVALID']);
  expect(answer.text).toContain(name);
});

test('a 10 MB fragment is refused before it is stored, whichever way it comes', async () => {
  const stream = await raw.open({ contentType: 'application/octet-stream' });
  const big = Buffer.alloc(10 * 1024 * 1024, 0x61);
  const path = `/v1/streams/${stream.streamNo}/fragments`;
  const octets = { 'content-type': 'application/octet-stream', 'fragment-seq': '1' };
  const octet = await raw.call('POST', path, { token: stream.writeToken, body: big, headers: octets });
  expect([octet.status, octet.json.code]).toEqual([413, 'FRAGMENT_TOO_LARGE']);
  const json = await raw.append(stream, { seq: 1, base64: big.toString('base64') });
  expect([json.status, ['FRAGMENT_TOO_LARGE', 'BODY_TOO_LARGE'].includes(json.json.code as string)]).toEqual([413, true]);
  const fits = await raw.call('POST', path, { token: stream.writeToken, body: big.subarray(0, 256 * 1024), headers: octets });
  expect(fits.json).toEqual({ from: 1, to: 1 });
  expect(await raw.verdict(stream, 'end', { lastSeq: 1 })).toMatchObject({ bytes: 256 * 1024 });
});

test('a body that trickles is given up, and what was acknowledged stays', async () => {
  const stream = await raw.open();
  await raw.append(stream, { seq: 1, data: 'kept' });
  const path = `/v1/streams/${stream.streamNo}/fragments`;
  const headers = { authorization: `Bearer ${stream.writeToken}`, 'content-type': 'application/octet-stream', 'fragment-seq': '2', 'content-length': '1000' };
  const request = http.request(target.url + path, { method: 'POST', headers });
  const answered = new Promise<number>((resolve, reject) => {
    request.on('response', (response) => resolve(response.statusCode ?? 0));
    request.on('error', reject);
  });
  request.write('only this');
  expect(await answered).toBe(408);
  request.destroy();
  expect(await raw.verdict(stream, 'end', { lastSeq: 1 })).toMatchObject({ status: 'ended', bytes: 4 });
});

test('a client that vanishes in the middle of a body leaves nothing of it', async () => {
  const stream = await raw.open();
  const { hostname, port } = new URL(target.url);
  const socket = net.connect(Number(port), hostname);
  await new Promise((resolve) => socket.once('connect', resolve));
  const head = [`POST /v1/streams/${stream.streamNo}/fragments HTTP/1.1`, `Host: ${hostname}`, `Authorization: Bearer ${stream.writeToken}`,
    'Content-Type: application/json', 'Content-Length: 100'];
  await new Promise((resolve) => socket.write(`${head.join('\r\n')}\r\n\r\n{"seq":1,"data":"ha`, resolve));
  socket.resetAndDestroy();
  expect((await raw.append(stream, { seq: 1, data: 'whole' })).status).toBe(200);
  await raw.verdict(stream, 'end', { lastSeq: 1 });
  expect(await raw.content(stream.streamNo)).toBe('whole');
});

test('[WATCH-4] a watcher that never reads delays nobody and is served when it wakes', async () => {
  const stream = await raw.open({ contentType: 'application/octet-stream' });
  const { hostname, port } = new URL(target.url);
  const stalled = net.connect(Number(port), hostname);
  await new Promise((resolve) => stalled.once('connect', resolve));
  stalled.pause();
  stalled.write(`GET /v1/watch/${stream.streamNo}/content?live HTTP/1.0\r\nHost: ${hostname}\r\nAuthorization: Bearer ${target.apiKey}\r\n\r\n`);
  const live = raw.response('GET', `/v1/watch/${stream.streamNo}/content?live`).then((response) => response.arrayBuffer());
  const part = Buffer.alloc(200 * 1024, 0x62);
  const headers = { 'content-type': 'application/octet-stream' };
  const count = 60;
  for (let seq = 1; seq <= count; seq += 1) {
    const path = `/v1/streams/${stream.streamNo}/fragments`;
    const answer = await raw.call('POST', path, { token: stream.writeToken, body: part, headers: { ...headers, 'fragment-seq': `${seq}` } });
    expect(answer.status).toBe(200);
  }
  await raw.verdict(stream, 'end', { lastSeq: count });
  expect((await live).byteLength).toBe(count * part.length);
  let bytes = 0;
  const woken = new Promise((resolve) => stalled.on('end', resolve));
  stalled.on('data', (some) => (bytes += some.length));
  stalled.resume();
  await woken;
  expect(bytes).toBeGreaterThan(count * part.length);
});

test('[APPEND-1] a record the log refused is visible as a verdict and, where metrics are served, as a counter', async () => {
  const before = await refusals();
  const stream = await raw.open();
  // At once, so that nobody but the log knows who holds the epoch: what is acknowledged as durable, the judge may refuse [JUDGE-11].
  const runs = ['run-1', 'run-2', 'run-3', 'run-4'];
  const answers = await Promise.all(runs.map((run) => raw.append(stream, { seq: 1, data: 'a' }, { 'writer-run': run })));
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(1);
  const end = await raw.post(stream, 'end', { lastSeq: 1, checksum: 1 });
  expect([end.status, end.json.code]).toEqual([409, 'CHECKSUM_MISMATCH']);
  await eventually(async () => {
    const { json } = await raw.call('GET', `/v1/admin/streams/${stream.streamNo}`);
    expect(json.verdicts).toContainEqual(expect.objectContaining({ kind: 'end', outcome: 'refused', code: 'CHECKSUM_MISMATCH' }));
  });
  const after = await refusals();
  if (before === null || after === null) return;
  for (const code of ['WRITER_CONFLICT', 'CHECKSUM_MISMATCH']) expect(after.get(code) ?? 0).toBeGreaterThan(before.get(code) ?? 0);
});

/** @returns refusals of the judge by code; null behind a proxy, which serves no metrics of its instances */
async function refusals(): Promise<Map<string, number> | null> {
  const { status, text } = await raw.call('GET', '/metrics');
  if (status !== 200) return null;
  return new Map([...text.matchAll(/^rivulet_refused_total\{code="(\w+)".*\} (\d+)$/gm)].map(([, code, count]) => [code ?? '', Number(count)]));
}

test('an unknown route and a wrong method are answered as problems', async () => {
  const unknown = await raw.call('GET', '/v1/nothing');
  expect([unknown.status, unknown.json.code]).toEqual([404, 'NOT_FOUND']);
  const wrong = await raw.call('DELETE', '/v1/streams');
  expect([wrong.status, wrong.json.code]).toEqual([405, 'METHOD_NOT_ALLOWED']);
});

test('a request that is no HTTP is refused without harm', async () => {
  const { hostname, port } = new URL(target.url);
  const socket = net.connect(Number(port), hostname);
  const answer = new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(String(bytes))));
  socket.write('HELLO\r\n\r\n');
  expect(await answer).toMatch(/^HTTP\/1\.1 400/);
  socket.destroy();
});

test('[WATCH-4] many readers of one stream that all leave do no harm to it', async () => {
  const stream = await raw.open();
  const readers = await Promise.all(Array.from({ length: 50 }, () => Sse.connect(raw, `/v1/watch/${stream.streamNo}/events`)));
  await Promise.all(readers.map((reader) => reader.until('stream')));
  await eventually(async () => expect((await raw.state(stream.streamNo)).sessions).toBe(50));
  for (const reader of readers) reader.close();
  await eventually(async () => expect((await raw.state(stream.streamNo)).sessions).toBe(0));
  await raw.append(stream, { seq: 1, data: 'x' });
  expect(await raw.verdict(stream, 'end', { lastSeq: 1 })).toMatchObject({ status: 'ended' });
});
