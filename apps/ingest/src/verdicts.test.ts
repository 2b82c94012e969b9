import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { StreamError } from '@rivulet/protocol';
import { eventually } from '../../../test/support/eventually';
import { bearer, startIngest, VIEWER_KEY } from '../../../test/support/ingest-app';
import type { Answer, IngestApp } from '../../../test/support/ingest-app';

let app: IngestApp;
beforeAll(async () => {
  app = await startIngest({ RIVULET_INGEST_VERDICT_MS_MAX: '60000' });
});
afterAll(() => app.stop());

interface Producer { streamNo: string; call(verb: string, body?: unknown): Promise<Answer> }
async function producer(at = app): Promise<Producer> {
  const { streamNo, writeToken } = await at.open();
  return { streamNo, call: (verb, body = {}) => at.post(`/v1/streams/${streamNo}/${verb}`, body, bearer(writeToken)) };
}

test('POST /v1/streams answers 201 with streamNo, tokens, links and Location', async () => {
  const answer = await app.post('/v1/streams', { channel: 'c', metadata: { topic: 'weather' } });
  expect(answer.status).toBe(201);
  expect(answer.body).toMatchObject({ streamNo: expect.stringMatching(/^[0-9a-z]{32}$/), epoch: 1, writeToken: expect.any(String) });
  expect(answer.headers.get('location')).toBe((answer.body['links'] as { state: string }).state);
  expect(await app.post('/v1/streams', { leaseMs: 'long' })).toMatchObject({ status: 400, body: { code: 'OPTIONS_INVALID' } });
  expect(await app.post('/v1/streams', {}, bearer(VIEWER_KEY))).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
});

test('[APPEND-11] the same Idempotency-Key opens the same stream', async () => {
  const headers = { 'idempotency-key': '0198f5a2-1111-7abc-8def-0123456789ab' };
  const first = await app.post('/v1/streams', {}, headers);
  const again = await app.post('/v1/streams', {}, headers);
  expect(again.body['streamNo']).toBe(first.body['streamNo']);
});

test('[APPEND-1] end answers with the verdict of the log: status, sequence, bytes, checksum', async () => {
  const { call } = await producer();
  await call('fragments', { seq: 1, data: 'hello' });
  const digest = createHash('sha256').update('hello').digest('hex');
  const answer = await call('end', { lastSeq: 1, checksum: crc32('hello'), digest });
  expect(answer).toMatchObject({ status: 200, body: { status: 'ended', sequence: 1, bytes: 5, checksum: crc32('hello') } });
});

test('[APPEND-1] a refused end answers 409 with the code of the judge', async () => {
  const { call } = await producer();
  await call('fragments', { seq: 1, data: 'hello' });
  expect(await call('end', { lastSeq: 1, checksum: 1 })).toMatchObject({ status: 409, body: { code: 'CHECKSUM_MISMATCH', streamStatus: 'failed' } });
});

test('[APPEND-1] past verdictMsMax the answer is 202 PENDING; the same end asked again has the verdict', async () => {
  const hurried = await startIngest({ RIVULET_INGEST_VERDICT_MS_MAX: '400' });
  const { call } = await producer(hurried);
  await call('fragments', { seq: 1, data: 'a' });
  expect(await call('end', { lastSeq: 2 })).toMatchObject({ status: 202, body: { status: 'PENDING' } });
  await call('fragments', { seq: 2, data: 'b' });
  await eventually(async () => expect(await call('end', { lastSeq: 2 })).toMatchObject({ status: 200, body: { status: 'ended', sequence: 2 } }));
  await hurried.stop();
});

test('[APPEND-4] repeating end, abort and cancel with the same arguments answers 200, with others 409', async () => {
  const ended = await producer();
  await ended.call('fragments', { seq: 1, data: 'x' });
  for (let time = 0; time < 2; time += 1) expect((await ended.call('end', { lastSeq: 1 })).status).toBe(200);
  expect(await ended.call('end', { lastSeq: 7 })).toMatchObject({ status: 409, body: { code: 'STREAM_FINAL', streamStatus: 'ended' } });
  expect(await ended.call('abort', { code: 'LATE' })).toMatchObject({ status: 409, body: { code: 'STREAM_FINAL' } });

  const aborted = await producer();
  for (let time = 0; time < 2; time += 1) {
    expect(await aborted.call('abort', { code: 'MODEL_FAILED', message: 'out of memory' })).toMatchObject({ status: 200, body: { status: 'failed' } });
  }
  expect(await aborted.call('abort', { code: 'OTHER' })).toMatchObject({ status: 409, body: { code: 'STREAM_FINAL', reason: 'MODEL_FAILED' } });

  const cancelled = await producer();
  for (let time = 0; time < 2; time += 1) {
    expect(await cancelled.call('cancel', { reason: 'enough' })).toMatchObject({ status: 200, body: { status: 'cancelled' } });
  }
});

test('[APPEND-6] a final stream answers 409 with its status; cancelled says so on the next append', async () => {
  const { call } = await producer();
  await call('fragments', { seq: 1, data: 'x' });
  await call('cancel', { reason: 'stop' });
  await eventually(async () => {
    expect(await call('fragments', { seq: 2, data: 'y' })).toMatchObject({ status: 409, body: { code: 'STREAM_FINAL', streamStatus: 'cancelled' } });
  });
  expect(await call('heartbeat')).toMatchObject({ status: 409, body: { code: 'STREAM_FINAL' } });
});

test('[APPEND-7] heartbeat writes one beat and answers what is known', async () => {
  const { streamNo, call } = await producer();
  await eventually(async () => expect(await call('heartbeat')).toMatchObject({ status: 200, body: { status: 'open', sequence: 0 } }));
  const beats = app.owner.records.filter(({ record }) => record.kind === 'beat' && record.streams.some(({ no }) => no === streamNo));
  expect(beats[0]).toMatchObject({ key: '#beat', record: { streams: [{ no: streamNo, epoch: 1 }] } });
});

test('[APPEND-8] retries answers 201 with the next epoch, its token and where to go on; the old token is stale', async () => {
  const { streamNo, call } = await producer();
  await call('fragments', { seq: 1, data: 'kept' });
  const retried = await call('retries', { attemptId: 'restart-1', reason: 'crash' });
  expect(retried).toMatchObject({ status: 201, body: { epoch: 2, next: 2, bytes: 4, checksum: crc32('kept') } });
  expect((await call('retries', { attemptId: 'restart-1' })).body).toMatchObject({ epoch: 2 });
  expect(await call('retries', { attemptId: 'somebody-else' })).toMatchObject({ status: 409, body: { code: 'RETRY_CONFLICT' } });
  await eventually(async () => {
    expect(await call('fragments', { seq: 2, data: 'stale' })).toMatchObject({ status: 409, body: { code: 'STALE_EPOCH', currentEpoch: 2 } });
  });
  const token = retried.body['writeToken'] as string;
  expect((await app.post(`/v1/streams/${streamNo}/fragments`, { seq: 2, data: ' on' }, bearer(token))).status).toBe(200);
});

test('bodies of control calls are checked: unknown and ill-typed members are named', async () => {
  const { call } = await producer();
  expect(await call('end', { lastSeq: '3' })).toMatchObject({ status: 400, body: { code: 'BODY_INVALID', place: 'lastSeq' } });
  expect(await call('abort', {})).toMatchObject({ status: 400, body: { code: 'BODY_INVALID', place: 'code' } });
  expect((await call('retries', { attempt: 'x' })).body.code).toBe('BODY_INVALID');
});

test('readiness follows the table and the allocator', async () => {
  const ready = await (await fetch(`${app.url}/readyz`)).json() as { ready: boolean; checks: Record<string, unknown> };
  expect(ready).toMatchObject({ ready: true, checks: { streams: { ready: true }, allocator: { ready: true }, log: { ready: true } } });
});

test('drain: what was taken is acknowledged, an open NDJSON request is told, then nothing more is taken', async () => {
  const other = await startIngest();
  const { streamNo, writeToken } = await other.open();
  const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(Buffer.from('{"seq":1,"data":"x"}\n')) });
  const response = await fetch(`${other.url}/v1/streams/${streamNo}/fragments`, {
    method: 'POST', body, duplex: 'half', headers: { ...bearer(writeToken), 'content-type': 'application/x-ndjson' },
  } as RequestInit);
  const lines = response.text();
  await other.frame.drain.run();
  expect(await lines).toMatch(/^\{"from":1,"to":1\}\n\{"problem":.*NOT_READY.*\}\n$/);
  await expect(fetch(`${other.url}/healthz`)).rejects.toThrow();
  expect(new StreamError('NOT_READY').row.next).toBe('retry');
  await other.owner.close();
});
