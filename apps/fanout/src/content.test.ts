import { createHash } from 'node:crypto';
import type { LogRecord } from '@rivulet/protocol';
import { appendRecord } from '../../../test/support/memory-source';
import { bodyOf, get, startServer, stopServers } from '../../../test/support/watch-server';
import type { WatchServer } from '../../../test/support/watch-server';

afterEach(stopServers);
const end = (digest = ''): LogRecord => ({ kind: 'end', epoch: 1, lastSeq: null, checksum: null, digest, metadata: {} });
const CONTENT = Buffer.from(Array.from({ length: 5000 }, (_, index) => index % 251));
async function fill(server: WatchServer, no: string): Promise<void> {
  for (let seq = 1; seq <= 500; seq += 1) await server.write(no, appendRecord(seq, [CONTENT.subarray((seq - 1) * 10, seq * 10)]));
  await server.source.caughtUp();
}
const text = async (url: string, token: string, headers = {}) => {
  const response = await get(url, token, headers);
  return { status: response.statusCode, headers: response.headers, body: await bodyOf(response) };
};

test('what ended is a plain download: strong ETag, Repr-Digest, length, ranges, 304, HEAD, hot and cold', async () => {
  const server = await startServer();
  const { no, token, url } = await server.open({ contentType: 'application/octet-stream', merge: 'bytes' });
  await fill(server, no);
  await server.put(no, end(createHash('sha256').update(CONTENT).digest('hex')));
  const address = `${url}/content`;
  for (const isCold of [false, true]) {
    const entry = await server.source.open(no);
    while (isCold && entry.view.evict()) continue;
    const whole = await text(address, token);
    expect(whole.status).toBe(200);
    expect(whole.body.equals(CONTENT)).toBe(true);
    const etag = String(whole.headers.etag);
    expect(etag).toMatch(/^"[0-9a-f]+-5000-1"$/);
    expect(whole.headers).toMatchObject({
      'content-length': '5000', 'accept-ranges': 'bytes', 'x-content-type-options': 'nosniff', 'content-type': 'application/octet-stream',
      'content-disposition': `attachment; filename="${no}"`, 'stream-status': 'ended',
      'repr-digest': `sha-256=:${createHash('sha256').update(CONTENT).digest('base64')}:`,
    });
    for (const [header, from, to] of [['bytes=0-9', 0, 10], ['bytes=4321-4567', 4321, 4568], ['bytes=-7', 4993, 5000], ['bytes=4999-', 4999, 5000]] as const) {
      const part = await text(address, token, { range: header });
      expect([part.status, part.headers['content-range']]).toEqual([206, `bytes ${from}-${to - 1}/5000`]);
      expect(part.body.equals(CONTENT.subarray(from, to))).toBe(true);
    }
    const beyond = await text(address, token, { range: 'bytes=5000-' });
    expect(beyond).toMatchObject({ status: 416, headers: { 'content-range': 'bytes */5000', 'content-type': 'application/problem+json' } });
    expect(JSON.parse(String(beyond.body))).toMatchObject({ code: 'RANGE_NOT_SATISFIABLE', status: 416 });
    expect((await text(address, token, { range: 'bytes=0-9', 'if-range': etag })).status).toBe(206);
    expect((await text(address, token, { range: 'bytes=0-9', 'if-range': '"other"' })).body.length).toBe(5000);
    expect((await text(address, token, { 'if-none-match': `W/${etag}` })).status).toBe(304);
    const head = await get(address, token, {}, 'HEAD');
    expect([head.statusCode, head.headers['content-length']]).toEqual([200, '5000']);
  }
});

test('of an open stream: the bytes so far, with no ETag, as nothing is settled', async () => {
  const server = await startServer();
  const { no, token, url } = await server.open();
  expect(await text(`${url}/content`, token)).toMatchObject({ status: 200, body: Buffer.alloc(0), headers: { 'content-length': '0' } });
  await server.put(no, appendRecord(1, ['hello ', 'world']));
  const soFar = await text(`${url}/content`, token);
  expect([String(soFar.body), soFar.headers.etag, soFar.headers['content-disposition']]).toEqual(['hello world', undefined, `inline; filename="${no}"`]);
  const part = await text(`${url}/content`, token, { range: 'bytes=6-' });
  expect([part.status, part.headers['content-range'], String(part.body)]).toEqual([206, 'bytes 6-10/*', 'world']);
});

test('?live follows until the end, from any byte', async () => {
  const server = await startServer();
  const { no, token, url } = await server.open();
  await server.put(no, appendRecord(1, ['hello ']));
  const whole = await get(`${url}/content?live`, token);
  const rest = await get(`${url}/content?live`, token, { range: 'bytes=6-' });
  expect(rest.headers['content-range']).toBe('bytes 6-9007199254740991/*');
  const bodies = Promise.all([bodyOf(whole), bodyOf(rest)]);
  await server.put(no, appendRecord(2, ['wor']), appendRecord(3, ['ld']));
  await server.put(no, end());
  expect((await bodies).map(String)).toEqual(['hello world', 'world']);
});

test('live content of a stream that failed, was cancelled or started over is cut off, so that curl exits non-zero', async () => {
  const server = await startServer();
  const endings: LogRecord[] = [
    { kind: 'abort', epoch: 1, code: 'MODEL_DIED', message: '' }, { kind: 'cancel', by: 'x', reason: '' },
    { kind: 'retry', epoch: 2, attemptId: 'a', keep: 'none', reason: '' },
  ];
  for (const ending of endings) {
    for (const isEmpty of [false, true]) {
      if (isEmpty && ending.kind === 'retry') continue;
      const { no, token, url } = await server.open();
      if (!isEmpty) await server.put(no, appendRecord(1, ['hello']));
      const response = await get(`${url}/content?live`, token);
      expect(response.statusCode).toBe(200);
      const body = bodyOf(response);
      body.catch(() => undefined);
      await server.put(no, ending);
      if (ending.kind === 'retry') await server.put(no, appendRecord(1, ['other'], { epoch: 2 }));
      await expect(body).rejects.toThrow('aborted');
      if (ending.kind === 'retry') continue;
      await expect(get(`${url}/content?live`, token).then(bodyOf)).rejects.toThrow('aborted');
      const late = await text(`${url}/content`, token);
      expect([late.status, String(late.body), late.headers.etag]).toEqual([200, isEmpty ? '' : 'hello', undefined]);
      expect(late.headers['stream-status']).toBe(ending.kind === 'abort' ? 'failed' : 'cancelled');
    }
  }
});

test('[WATCH-5] content whose beginning is no longer kept is 410', async () => {
  const server = await startServer({ viewBytesMax: 2048 });
  const { no, token, url } = await server.open();
  await fill(server, no);
  server.log.truncate('test.fragments', 0, 300);
  expect((await text(`${url}/content`, token)).status).toBe(410);
  const part = await text(`${url}/content`, token, { range: 'bytes=4900-' });
  expect(part.body.equals(CONTENT.subarray(4900))).toBe(true);
});

test('[WATCH-4] content flows at the pace of its reader, with flat memory', async () => {
  const server = await startServer({ viewBytesMax: 1 << 20 });
  const { no, token, url } = await server.open({ contentType: 'application/octet-stream', merge: 'bytes' });
  const hash = createHash('sha256');
  for (let seq = 1; seq <= 600; seq += 1) {
    const payload = Buffer.alloc(50_000, seq % 251);
    hash.update(payload);
    await server.write(no, appendRecord(seq, [payload]));
  }
  await server.put(no, end());
  const stalled = await get(`${url}/content`, token);
  const quick = await bodyOf(await get(`${url}/content`, token));
  expect(createHash('sha256').update(quick).digest('hex')).toBe(hash.copy().digest('hex'));
  // Both together: what the stalled one took from us is what its socket holds, far from the whole.
  expect(await server.metric('delivered_bytes_total')).toBeLessThan(30_000_000 * 1.6);
  expect(createHash('sha256').update(await bodyOf(stalled)).digest('hex')).toBe(hash.digest('hex'));
});
