import { Raw } from './raw';
import { suiteTarget } from './target';

const target = suiteTarget();
const raw = new Raw(target);

/** Changes the signature of a token: the last character carries padding bits, so one before it. */
function forged(token: string): string {
  const at = token.length - 5;
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
}

test.each(['', 'nonsense', 'rk_dev_wrong', 'rk_nobody_x', 'a.b.c'])('the credential %p is refused everywhere', async (token) => {
  const { streamNo } = await raw.open();
  const calls: [string, string][] = [
    ['POST', '/v1/streams'], ['POST', `/v1/streams/${streamNo}/fragments`], ['POST', `/v1/streams/${streamNo}/cancel`],
    ['GET', `/v1/watch/${streamNo}`], ['GET', `/v1/watch/${streamNo}/events`], ['GET', '/v1/admin/streams'],
  ];
  for (const [method, path] of calls) {
    const answer = await raw.call(method, path, { token, json: method === 'POST' ? {} : undefined });
    expect([method, path, answer.status, answer.json?.code]).toEqual([method, path, 401, 'UNAUTHENTICATED']);
  }
});

test('a token whose signature was changed is refused', async () => {
  const stream = await raw.open();
  const answer = await raw.post(stream, 'fragments', { seq: 1, data: 'x' }, forged(stream.writeToken));
  expect([answer.status, answer.json.code]).toEqual([401, 'UNAUTHENTICATED']);
});

test('a token is for one stream and for what its scope says', async () => {
  const [mine, other] = [await raw.open(), await raw.open()];
  const foreign = await raw.post(other, 'fragments', { seq: 1, data: 'x' }, mine.writeToken);
  expect([foreign.status, foreign.json.code]).toEqual([403, 'FORBIDDEN']);
  const reading = await raw.post(mine, 'fragments', { seq: 1, data: 'x' }, mine.readToken);
  expect([reading.status, reading.json.code]).toEqual([403, 'FORBIDDEN']);
  const writing = await raw.call('GET', `/v1/watch/${mine.streamNo}`, { token: mine.writeToken });
  expect([writing.status, writing.json.code]).toEqual([403, 'FORBIDDEN']);
  const admin = await raw.call('GET', '/v1/admin/streams', { token: mine.readToken });
  expect([admin.status, admin.json.code]).toEqual([403, 'FORBIDDEN']);
  expect((await raw.call('GET', `/v1/watch/${mine.streamNo}`, { token: mine.readToken })).status).toBe(200);
});

test('[WATCH-8] a token signed for a reader reads and cancels its stream, writes nothing, and is good for no other', async () => {
  const [mine, other] = [await raw.open(), await raw.open()];
  const { status, json } = await raw.call('POST', '/v1/tokens', { json: { streamNo: mine.streamNo, scope: 'read cancel' } });
  expect(status).toBe(201);
  const { token } = json as { token: string };
  expect((await raw.post(mine, 'fragments', { seq: 1, data: 'x' }, token)).status).toBe(403);
  expect((await raw.post(other, 'cancel', {}, token)).status).toBe(403);
  expect((await raw.call('GET', `/v1/watch/${mine.streamNo}`, { token })).status).toBe(200);
  const cancelled = await raw.post(mine, 'cancel', { reason: 'enough' }, token);
  expect([cancelled.status, cancelled.json.status]).toEqual([200, 'cancelled']);
});

test('[APPEND-6] the token of a stream whose ttl is over has expired; past its retention the stream is gone', async () => {
  const stream = await raw.open({ ttlMs: 1000, retentionMs: 1000 });
  const codes = new Set<string>();
  const deadline = Date.now() + 15_000;
  while (!codes.has('STREAM_GONE') && Date.now() < deadline) {
    const answer = await raw.append(stream, { seq: 1, data: 'x' });
    if (answer.status !== 200) codes.add(answer.json.code as string);
    if (answer.json?.code === 'STREAM_GONE') expect(answer.status).toBe(410);
  }
  expect([...codes].at(-1)).toBe('STREAM_GONE');
  expect(codes.has('TOKEN_EXPIRED')).toBe(true);
});

test('[APPEND-12] with an API key the epoch is a header, and a wrong one is refused', async () => {
  const { streamNo } = await raw.open();
  const path = `/v1/streams/${streamNo}/fragments`;
  expect((await raw.call('POST', path, { json: { seq: 1, data: 'a' } })).status).toBe(200);
  expect((await raw.call('POST', path, { json: { seq: 2, data: 'b' }, headers: { 'stream-epoch': '1' } })).status).toBe(200);
  const unknown = await raw.call('POST', path, { json: { seq: 3, data: 'c' }, headers: { 'stream-epoch': '7' } });
  expect([unknown.status, unknown.json.code]).toEqual([409, 'EPOCH_UNKNOWN']);
  const retry = await raw.call('POST', `/v1/streams/${streamNo}/retries`, { json: { attemptId: 'a1' } });
  expect(retry.status).toBe(201);
  const stale = await raw.call('POST', path, { json: { seq: 3, data: 'c' }, headers: { 'stream-epoch': '1' } });
  expect([stale.status, stale.json.code]).toEqual([409, 'STALE_EPOCH']);
});

test('no answer shows a secret', async () => {
  const answer = await raw.call('GET', '/v1/admin/streams', { token: `${target.apiKey}x` });
  expect(answer.text).not.toContain(target.apiKey);
  expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
});
