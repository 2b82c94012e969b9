import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { problemOf, StreamError } from '@rivulet/protocol';
import { isTransient, resend } from './backoff';
import { problemToError, request } from './http';
import { Producer } from './producer';
import { slowdown } from '../../../test/support/slowdown';

let server: Server | undefined;
afterEach(() => {
  jest.useRealTimers();
  server?.closeAllConnections();
  server?.close();
});

/** A peer that leaves the first request of each path but an abort without an answer, as one that vanished, and answers the others. */
async function forgetfulPeer(): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  server = createServer((incoming, response) => {
    const path = incoming.url ?? '';
    if (asked.includes(path) || path.endsWith('/abort')) response.end('{"ok":true}');
    asked.push(path);
    server?.emit('asked');
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}
const call = { method: 'POST', path: '/x', token: 'secret', body: '{}' } as const;

test('[APPEND-3] a call that is not answered in time is resent', async () => {
  const { url, asked } = await forgetfulPeer();
  const attempt = (): Promise<unknown> => request({ url, fetch }, { ...call, answerMsMax: 500 });
  expect(await resend(attempt, { giveUpMs: 60_000 })).toEqual({ ok: true });
  expect(asked).toEqual(['/x', '/x']);
});

test('every call is bounded, also one that says nothing about it', async () => {
  jest.useFakeTimers();
  const silent: typeof fetch = (_input, init) => new Promise((_resolve, reject) => {
    init?.signal?.addEventListener('abort', () => reject(new Error('aborted')));
  });
  const answer = expect(request({ url: 'http://nobody', fetch: silent }, call)).rejects.toMatchObject({ code: 'NOT_READY' });
  await jest.advanceTimersByTimeAsync(15_000);
  await answer;
});

test('the reason of the caller who aborts is what is thrown', async () => {
  const { url } = await forgetfulPeer();
  const stop = new AbortController();
  const reason = new Error('enough');
  server?.once('asked', () => stop.abort(reason));
  await expect(request({ url, fetch }, { ...call, signal: stop.signal })).rejects.toBe(reason);
});

test('[APPEND-7] a heartbeat that is not answered makes room for the next one within the lease', async () => {
  const { url, asked } = await forgetfulPeer();
  const claims = Buffer.from(JSON.stringify({ lease: 1_000 })).toString('base64url');
  const startedAt = Date.now();
  const producer = new Producer({ url, fetch }, { streamNo: 's', epoch: 1, writeToken: `h.${claims}.s`, next: 1, checksum: 0 });
  while (asked.length < 2) await new Promise((resolve) => server?.once('asked', resolve));
  expect(Date.now() - startedAt).toBeLessThan(1_000 + 100 * slowdown());
  expect(asked).toEqual(['/v1/streams/s/heartbeat', '/v1/streams/s/heartbeat']);
  expect(producer.signal.aborted).toBe(false);
  await producer.abort('CLIENT_GONE');
});

test('[APPEND-7] heartbeats that are not answered come ever more rarely: a slow service is not kept slow by them', async () => {
  const askedAt: number[] = [];
  server = createServer(() => {
    askedAt.push(performance.now());
    server?.emit('asked');
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const claims = Buffer.from(JSON.stringify({ lease: 800 })).toString('base64url');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const producer = new Producer({ url, fetch }, { streamNo: 's', epoch: 1, writeToken: `h.${claims}.s`, next: 1, checksum: 0 });
  while (askedAt.length < 4) await new Promise((resolve) => server?.once('asked', resolve));
  // The third was waited for three times as long as the first, which was for a fourth of the lease.
  expect(askedAt[3]! - askedAt[2]!).toBeGreaterThan(500);
  producer.retire();
});

test('[APPEND-4] a heartbeat that learns of the end first does not cut off the answer of the end', async () => {
  const verdict = { streamNo: 's', status: 'ended', sequence: 0, bytes: 0, checksum: 0 };
  let answerEnd = (): void => undefined;
  const beaten = new Promise<void>((resolve) => {
    server = createServer((incoming, response) => {
      if (incoming.url?.endsWith('/end')) answerEnd = () => response.end(JSON.stringify(verdict));
      else {
        response.writeHead(409, { 'content-type': 'application/problem+json' });
        response.end(JSON.stringify(problemOf(new StreamError('STREAM_FINAL', { streamNo: 's', status: 'ended' }))), resolve);
      }
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const claims = Buffer.from(JSON.stringify({ lease: 600 })).toString('base64url');
  const url = `http://127.0.0.1:${(server?.address() as AddressInfo).port}`;
  const producer = new Producer({ url, fetch }, { streamNo: 's', epoch: 1, writeToken: `h.${claims}.s`, next: 1, checksum: 0 });
  const ending = producer.end();
  await beaten;
  // The producer has read the refusal once its next beat has come.
  await new Promise<void>((resolve) => server?.once('request', () => resolve()));
  answerEnd();
  expect(await ending).toEqual(verdict);
});

test.each([408, 429, 500, 502, 503, 504])('a bare %i, from whoever stands between, is trouble that passes', (status) => {
  expect(isTransient(problemToError(null, status))).toBe(true);
});

test.each([400, 401, 403, 404, 413])('a bare %i is no trouble that passes', (status) => {
  expect(isTransient(problemToError(null, status))).toBe(false);
});
