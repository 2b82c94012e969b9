import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { WebSocket, WebSocketServer } from 'ws';
import { freePort } from './free-port.cjs';
import { Child } from './processes.cjs';

type Handler = http.RequestListener;
const servers: http.Server[] = [];
let handlers: Record<'allocator' | 'ingest' | 'fanout', Handler>;
let origin: string;
let fanouts: string[];
let proxy: Child;

async function upstream(name: keyof typeof handlers): Promise<string> {
  const server = http.createServer((request, response) => {
    if (request.url === '/readyz') response.end('{}');
    else handlers[name](request, response);
  });
  const sockets = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 } });
  sockets.on('connection', (socket, request) => socket.on('message', (bytes) => socket.send(`${name} ${request.url} ${bytes}`)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  const urls = await Promise.all((['allocator', 'ingest'] as const).map(async (name) => `--${name}=${await upstream(name)}`));
  fanouts = [await upstream('fanout'), await upstream('fanout')];
  urls.push(`--fanout=${[...fanouts, `http://127.0.0.1:${await freePort()}`].join(',')}`);
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  proxy = new Child({
    name: 'proxy', script: 'tools/proxy.mjs', args: [`--port=${port}`, ...urls], env: process.env, readyUrl: `${origin}/readyz`,
    logFile: path.join(__dirname, '..', '.rivulet', 'test-logs', `proxy-${port}.log`),
  });
  await proxy.ready();
});
beforeEach(() => {
  const named = (name: string): Handler => (request, response) => response.end(`${name} ${request.url}`);
  handlers = { allocator: named('allocator'), ingest: named('ingest'), fanout: named('fanout') };
});
afterAll(async () => {
  await proxy.stop();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

test.each([
  ['/v1/streams', 'ingest'], ['/v1/streams/x/fragments', 'ingest'], ['/v1/pipe?channel=a', 'ingest'], ['/v1/watch/x/events', 'fanout'],
  ['/v1/watch', 'fanout'], ['/v1/admin/streams', 'allocator'], ['/', 'allocator'], ['/v1/streamsx', 'allocator'],
])('%s goes to %s', async (route, name) => {
  expect(await (await fetch(origin + route)).text()).toBe(`${name} ${route}`);
});

test('a body and its answer stream at the same time, nothing waits for the end of the other', async () => {
  handlers.ingest = (request, response) => {
    response.flushHeaders();
    request.on('data', (bytes: Buffer) => response.write(`got ${bytes}\n`));
    request.on('end', () => response.end());
  };
  const request = http.request(`${origin}/v1/pipe`, { method: 'POST', headers: { expect: '100-continue' } });
  request.flushHeaders();
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  for (const part of ['one', 'two', 'three']) {
    request.write(part);
    const [bytes] = (await once(response, 'data')) as [Buffer];
    expect(String(bytes)).toBe(`got ${part}\n`);
  }
  request.end();
  response.resume();
  await once(response, 'end');
});

test('[WATCH-11] a coding passes untouched: the very bytes, piece by piece as they come, and what caches are told', async () => {
  const pieces = [gzipSync('one'), Buffer.from([0, 1, 2, 255])];
  const headers = { 'content-encoding': 'gzip', vary: 'Accept-Encoding', etag: 'W/"x"', 'cache-control': 'no-cache, no-transform' };
  let goOn: () => void = () => undefined;
  let accepted: unknown;
  handlers.fanout = (request, response) => {
    accepted = request.headers['accept-encoding'];
    response.writeHead(200, headers).write(pieces[0]);
    goOn = () => void response.end(pieces[1]);
  };
  const request = http.request(`${origin}/v1/watch/x/content`, { headers: { 'accept-encoding': 'gzip' } }).end();
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  expect([accepted, response.headers]).toEqual(['gzip', expect.objectContaining(headers)]);
  expect((await once(response, 'data'))[0]).toEqual(pieces[0]);
  goOn();
  expect((await once(response, 'data'))[0]).toEqual(pieces[1]);
});

test('[WATCH-11] permessage-deflate and the subprotocol are agreed through it', async () => {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/v1/watch/ws`, ['rivulet.v1.proto'], { perMessageDeflate: { threshold: 0 } });
  await once(socket, 'open');
  expect([socket.extensions, socket.protocol]).toEqual(['permessage-deflate', 'rivulet.v1.proto']);
  const text = 'all happy families are alike; '.repeat(1_000);
  const before = (socket as unknown as { _socket: net.Socket })._socket.bytesRead;
  socket.send(text);
  expect(String((await once(socket, 'message'))[0])).toBe(`fanout /v1/watch/ws ${text}`);
  expect((socket as unknown as { _socket: net.Socket })._socket.bytesRead - before).toBeLessThan(text.length / 10);
  socket.close();
});

test('an answer that breaks off midway breaks off at the reader too', async () => {
  handlers.fanout = (_, response) => {
    response.write('half');
    setImmediate(() => response.destroy());
  };
  const response = await fetch(`${origin}/v1/watch/x/content`);
  await expect(response.text()).rejects.toThrow();
});

test('a client that vanishes midway is seen by the service', async () => {
  const outgoing = http.request(`${origin}/v1/pipe`, { method: 'POST' });
  outgoing.on('error', () => undefined);
  const aborted = new Promise<void>((resolve) => {
    handlers.ingest = (request) => request.on('error', () => resolve()).once('data', () => outgoing.destroy());
  });
  outgoing.write('something');
  await aborted;
});

test('a WebSocket reaches its service', async () => {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/v1/watch/ws`);
  await once(socket, 'open');
  socket.send('hello');
  const [bytes] = (await once(socket, 'message')) as [Buffer];
  expect(String(bytes)).toBe('fanout /v1/watch/ws hello');
  socket.close();
  await once(socket, 'close');
});

test('a client whose connection is reset, in the middle of anything, costs the others nothing', async () => {
  const [kept, dropped] = [0, 1].map(() => new WebSocket(`${origin.replace('http', 'ws')}/v1/watch/ws`));
  await Promise.all([once(kept!, 'open'), once(dropped!, 'open')]);
  (dropped as unknown as { _socket: net.Socket })._socket.resetAndDestroy();
  await once(dropped!, 'close');
  const upload = net.connect(Number(new URL(origin).port), '127.0.0.1');
  await once(upload, 'connect');
  upload.write('POST /v1/pipe HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n');
  await once(upload, 'data');
  upload.resetAndDestroy();
  kept!.send('still here');
  const [bytes] = (await once(kept!, 'message')) as [Buffer];
  expect(String(bytes)).toBe('fanout /v1/watch/ws still here');
  kept!.close();
  await once(kept!, 'close');
});

test('several addresses of a service take turns, and one where nothing listens costs no call', async () => {
  handlers.fanout = (request, response) => response.end(String(request.socket.localPort));
  const answers: string[] = [];
  for (let i = 0; i < 12; i++) answers.push(await (await fetch(`${origin}/v1/watch/x`)).text());
  expect(new Set(answers)).toEqual(new Set(fanouts.map((url) => new URL(url).port)));
});

describe('without an upstream', () => {
  let lonely: Child;
  let base: string;
  beforeAll(async () => {
    const port = await freePort();
    const nobody = `http://127.0.0.1:${await freePort()}`;
    base = `http://127.0.0.1:${port}`;
    lonely = new Child({
      name: 'proxy', script: 'tools/proxy.mjs', args: [`--port=${port}`, ...['allocator', 'ingest', 'fanout'].map((name) => `--${name}=${nobody}`)],
      env: process.env, readyUrl: `${base}/healthz`, logFile: path.join(__dirname, '..', '.rivulet', 'test-logs', `proxy-${port}.log`),
    });
    await lonely.ready();
  });
  afterAll(() => lonely.stop());

  test('calls are answered NOT_READY with Retry-After', async () => {
    for (const method of ['GET', 'POST']) {
      const response = await fetch(`${base}/v1/streams`, { method, body: method === 'POST' ? '{}' : undefined });
      expect([response.status, response.headers.get('retry-after'), response.headers.get('content-type')]).toEqual([503, '1', 'application/problem+json']);
      expect(response.headers.get('access-control-allow-origin')).toBe('*');
      expect(await response.json()).toMatchObject({ code: 'NOT_READY', next: 'retry' });
    }
  });

  test('[WATCH-10] an EventSource is told inside the stream, so that it tries again', async () => {
    const response = await fetch(`${base}/v1/watch/x/events`, { headers: { accept: 'text/event-stream' } });
    expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([200, '*']);
    expect(await response.text()).toMatch(/^retry: 1000\nevent: unavailable\ndata: \{.*NOT_READY.*\}\n\n$/);
  });

  test('a WebSocket is refused with 503', async () => {
    const socket = new WebSocket(`${base.replace('http', 'ws')}/v1/watch/ws`);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, http.IncomingMessage];
    expect(response.statusCode).toBe(503);
    socket.on('error', () => undefined).terminate();
  });

  test('it is alive and not ready', async () => {
    expect((await fetch(`${base}/readyz`)).status).toBe(503);
    const socket = net.connect(Number(new URL(base).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.destroy();
  });
});
