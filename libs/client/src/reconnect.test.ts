import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StreamError } from '@rivulet/protocol';
import { watchChannel } from './channel';
import { Watching } from './watching';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A service that answers the n-th connection as told; `at` gets when each came. */
async function service(answer: (response: ServerResponse, n: number) => void): Promise<{ url: string; at: number[] }> {
  const at: number[] = [];
  server = createServer((_request, response) => answer(response, at.push(performance.now())));
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, at };
}
const SSE = { 'content-type': 'text/event-stream' };
const streamEvent = `event: stream\ndata: ${JSON.stringify({ streamNo: 's', status: 'open', epoch: 1, attempt: 1, contentType: 'text/plain', merge: 'text', channel: 'c', metadata: {} })}\n\n`;
const fragmentEvent = (n: number): string => `id: 1.${n}\nevent: fragment\ndata: {"streamNo":"s","from":${n},"to":${n},"cursor":"1.${n}","text":"x"}\n\n`;
const gone = { code: 'STREAM_GONE', status: 410 };
const endWith = (response: ServerResponse): void => void response.writeHead(410, { 'content-type': 'application/problem+json' }).end(JSON.stringify(gone));
/** The least that five waits take which double from 100 ms, their random half left out. */
const FIVE_WAITS_MS = 50 + 100 + 200 + 400 + 800;

test.each([
  ['after the event stream', () => streamEvent],
  ['after a fragment', (n: number) => streamEvent + fragmentEvent(n)],
])('[WATCH-10] a service that takes everybody and drops them %s is not stormed: waits go on doubling', async (_when, events) => {
  const { url, at } = await service((response, n) => (n === 6 ? endWith(response) : void response.writeHead(200, SSE).end(events(n))));
  const watching = new Watching({ url, token: 't', fetch }, 's', {});
  await expect((async () => { for await (const _event of watching) { /* only the waits count */ } })()).rejects.toMatchObject({ code: 'STREAM_GONE' });
  expect(at).toHaveLength(6);
  expect(at[5]! - at[0]!).toBeGreaterThanOrEqual(FIVE_WAITS_MS - 5);
});

test('[WATCH-10] nor is one that drops the feed of a channel', async () => {
  const { url, at } = await service((response, n) => (n === 6 ? endWith(response) : void response.writeHead(200, SSE).end(streamEvent)));
  const feed = watchChannel({ url, token: 't', fetch }, 'c', {});
  await expect((async () => { for await (const _event of feed) { /* only the waits count */ } })()).rejects.toBeInstanceOf(StreamError);
  expect(at[5]! - at[0]!).toBeGreaterThanOrEqual(FIVE_WAITS_MS - 5);
});

test.each([
  ['Retry-After of a 503', (response: ServerResponse) => void response.writeHead(503, { 'retry-after': '1' }).end()],
  ['the retry line of `unavailable`', (response: ServerResponse) => void response.writeHead(200, SSE).end('retry: 1000\nevent: unavailable\ndata: {"code":"NOT_READY"}\n\n')],
  ['retryAfterMs of a problem', (response: ServerResponse) => void response.writeHead(503, { 'content-type': 'application/problem+json' }).end('{"code":"NOT_READY","retryAfterMs":1000}')],
])('[WATCH-10] %s is the least that is waited', async (_name, refuse) => {
  const { url, at } = await service((response, n) => (n === 1 ? refuse(response) : endWith(response)));
  await expect(new Watching({ url, token: 't', fetch }, 's', {}).text()).rejects.toMatchObject({ code: 'STREAM_GONE' });
  expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(995);
});
