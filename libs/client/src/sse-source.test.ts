import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sseEvents } from './sse-source';
import type { SourceEvent } from './sse-source';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A peer that answers every request as told. */
async function peer(answer: (response: ServerResponse, headers: Record<string, unknown>) => void): Promise<string> {
  server = createServer((request, response) => answer(response, request.headers));
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
async function collect(url: string, options: { cursor?: string; silenceMsMax?: number; isDone?: () => void } = {}): Promise<SourceEvent[]> {
  const events: SourceEvent[] = [];
  const source = { path: '/', token: 'secret', silenceMsMax: 5000, ...options };
  for await (const event of sseEvents({ url, fetch }, source, options.isDone ?? (() => undefined))) events.push(event);
  return events;
}
const SSE = { 'content-type': 'text/event-stream' };

test('events cut anywhere, even inside a character, come out whole', async () => {
  const bytes = Buffer.from('retry: 100\n\n: comment\n\nid: 1.1\nevent: fragment\ndata: {"text":"红🌊"}\n\nid: 1.2\r\nevent: fragment\r\ndata: {"text":"b"}\r\n\r\n');
  const url = await peer((response) => {
    response.writeHead(200, SSE);
    const write = (at: number): void => {
      if (at === bytes.length) return void response.end();
      response.write(bytes.subarray(at, at + 1), () => write(at + 1));
    };
    write(0);
  });
  expect(await collect(url)).toEqual([
    { type: 'fragment', id: '1.1', body: { text: '红🌊' } },
    { type: 'fragment', id: '1.2', body: { text: 'b' } },
  ]);
});

test('[WATCH-2] the cursor goes out as Last-Event-ID, and 204 means that nothing follows', async () => {
  let seen: Record<string, unknown> = {};
  const url = await peer((response, headers) => {
    seen = headers;
    response.writeHead(204).end();
  });
  let isDone = false;
  expect(await collect(url, { cursor: '1.7.f', isDone: () => (isDone = true) })).toEqual([]);
  expect(isDone).toBe(true);
  expect(seen).toMatchObject({ 'last-event-id': '1.7.f', authorization: 'Bearer secret', accept: 'text/event-stream' });
});

test('[WATCH-10] unavailable is transient and carries how long to wait', async () => {
  const url = await peer((response) => response.writeHead(200, SSE).end('retry: 1500\nevent: unavailable\ndata: {"code":"NOT_READY"}\n\n'));
  await expect(collect(url)).rejects.toMatchObject({ code: 'NOT_READY', details: { retryAfterMs: 1500 } });
});

test('a problem keeps its code and facts; what is no problem becomes one by its status', async () => {
  const problem = await peer((response) => response.writeHead(410, { 'content-type': 'application/problem+json' }).end('{"code":"CURSOR_EXPIRED","oldest":"1.9"}'));
  await expect(collect(problem)).rejects.toMatchObject({ code: 'CURSOR_EXPIRED', details: { oldest: '1.9' } });
  server?.close();
  const proxy = await peer((response) => response.writeHead(502).end('<html>bad gateway</html>'));
  await expect(collect(proxy)).rejects.toMatchObject({ code: 'NOT_READY' });
});

test('a connection on which nothing comes is given up', async () => {
  const url = await peer((response) => response.writeHead(200, SSE).write(': hello\n\n'));
  await expect(collect(url, { silenceMsMax: 30 })).rejects.toMatchObject({ code: 'NOT_READY' });
});

test('a host that takes the connection and never answers is given up', async () => {
  const url = await peer(() => undefined);
  await expect(collect(url, { silenceMsMax: 30 })).rejects.toMatchObject({ code: 'NOT_READY' });
});

test('a connection that breaks off, or is refused, is transient', async () => {
  const url = await peer((response) => {
    response.writeHead(200, SSE).write(': hello\n\n', () => response.destroy());
  });
  await expect(collect(url)).rejects.toMatchObject({ code: 'NOT_READY' });
  await expect(collect('http://127.0.0.1:1')).rejects.toMatchObject({ code: 'NOT_READY' });
});
