import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { request as httpRequest } from 'node:http';
import type { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { Body, Controller, Get, Module, Param, Post, Put, Req, Res } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { WebSocket } from 'ws';
import { StreamError } from '@rivulet/protocol';
import type { Problem } from '@rivulet/protocol';
import { readConfig } from './config';
import { createApp } from './create-app';
import { buildFrame } from './frame';
import type { Frame } from './frame';
import { serviceRows } from './service-rows';

const began = new EventEmitter();

@Controller()
class Probe {
  @Post('json')
  json(@Body() body: unknown): unknown {
    return { got: body ?? null };
  }

  @Post('lines')
  async lines(@Req() request: FastifyRequest): Promise<{ bytes: number }> {
    let bytes = 0;
    began.emit('lines');
    for await (const part of request.body as Readable) bytes += (part as Buffer).length;
    return { bytes };
  }

  @Put('pipe')
  @RouteConfig({ streamBody: true })
  pipe(@Req() request: FastifyRequest): Promise<{ bytes: number }> {
    return this.lines(request);
  }

  @Get('streams/:no')
  fail(@Param('no') no: string): never {
    if (no === 'busy') throw new StreamError('OVERLOADED', { retryAfterMs: 2_500 });
    if (no === 'stale') throw new StreamError('STALE_EPOCH', { streamNo: no, epoch: 1, currentEpoch: 2 });
    throw new Error('a secret of the inside');
  }

  @Get('half')
  async half(@Res() reply: FastifyReply): Promise<void> {
    reply.hijack();
    reply.raw.writeHead(200, { 'Content-Type': 'text/event-stream' });
    await new Promise((resolve) => reply.raw.write(': begun\n\n', resolve));
    throw new Error('midway');
  }
}

@Module({ controllers: [Probe] })
class ProbeModule {}

interface Started { frame: Frame; url: string; port: number; logs: string[] }
const running: Frame[] = [];

async function start(env: Record<string, string> = {}): Promise<Started> {
  const logs: string[] = [];
  const config = readConfig(serviceRows, { RIVULET_LOG: 'memory', RIVULET_LOG_LEVEL: 'debug', ...env }, []);
  const frame = buildFrame('probe', config, { write: (line: string) => { logs.push(line); } });
  frame.sockets.add('/echo', (socket) => socket.on('message', (message) => socket.send(String(message))));
  const app = await createApp({ module: ProbeModule } as DynamicModule, frame, { host: '127.0.0.1', port: 0 });
  running.push(frame);
  const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
  return { frame, url: `http://127.0.0.1:${port}`, port, logs };
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((frame) => frame.drain.run()));
});

async function problemOfAnswer(answer: Response): Promise<Problem> {
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  return answer.json() as Promise<Problem>;
}

test('a JSON body arrives parsed, an empty one as nothing, gzip is unpacked', async () => {
  const { url } = await start();
  const headers = { 'content-type': 'application/json' };
  expect(await (await fetch(`${url}/json`, { method: 'POST', headers, body: '{"a":[1]}' })).json()).toEqual({ got: { a: [1] } });
  expect(await (await fetch(`${url}/json`, { method: 'POST', headers })).json()).toEqual({ got: null });
  expect(await (await fetch(`${url}/json`, { method: 'POST' })).json()).toEqual({ got: null });
  const zipped = await fetch(`${url}/json`, { method: 'POST', headers: { ...headers, 'content-encoding': 'gzip' }, body: gzipSync('"x"') });
  expect(await zipped.json()).toEqual({ got: 'x' });
});

test('malformed JSON is BODY_INVALID with the place', async () => {
  const { url } = await start();
  const answer = await fetch(`${url}/json`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a": }' });
  expect(answer.status).toBe(400);
  const problem = await problemOfAnswer(answer);
  expect(problem.code).toBe('BODY_INVALID');
  expect(problem.detail).toContain(`Unexpected token '}', "{"a": }"`);
  expect(problem.requestId).toBe(answer.headers.get('x-request-id'));
});

test('a broken gzip body is BODY_INVALID, not a hanging request', async () => {
  const { url } = await start();
  const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
  const answer = await fetch(`${url}/json`, { method: 'POST', headers, body: 'not gzip' });
  expect((await problemOfAnswer(answer)).code).toBe('BODY_INVALID');
});

test('a JSON body above the bound is BODY_TOO_LARGE, also when only its unpacked size is', async () => {
  const { url } = await start({ RIVULET_JSON_BODY_BYTES_MAX: '1024' });
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify('x'.repeat(3_000));
  const answer = await fetch(`${url}/json`, { method: 'POST', headers, body });
  expect(answer.status).toBe(413);
  expect((await problemOfAnswer(answer)).code).toBe('BODY_TOO_LARGE');
  const bomb = await fetch(`${url}/json`, { method: 'POST', headers: { ...headers, 'content-encoding': 'gzip' }, body: gzipSync(body) });
  expect((await problemOfAnswer(bomb)).code).toBe('BODY_TOO_LARGE');
});

test('a JSON body that trickles is BODY_TIMEOUT at its deadline', async () => {
  const { port } = await start({ RIVULET_BODY_MS_MAX: '150' });
  const status = await new Promise<number>((resolve, reject) => {
    const request = httpRequest({ port, path: '/json', method: 'POST', headers: { 'content-type': 'application/json', 'content-length': 100 } });
    request.on('response', (response) => { resolve(response.statusCode ?? 0); response.resume(); });
    request.on('error', reject);
    request.write('{');
  });
  expect(status).toBe(408);
});

test('headers that do not come are answered 408 and the connection ends', async () => {
  const { port } = await start({ RIVULET_HEADERS_MS_MAX: '200' });
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow:'));
    let read = '';
    socket.on('data', (part: Buffer) => { read += part.toString(); });
    socket.on('close', () => resolve(read));
    socket.on('error', reject);
  });
  expect(text).toMatch(/^HTTP\/1\.1 408 /);
  expect(text).toContain('application/problem+json');
});

test('what is not HTTP is answered as a problem', async () => {
  const { port } = await start();
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('hello there\r\n\r\n'));
    let read = '';
    socket.on('data', (part: Buffer) => { read += part.toString(); });
    socket.on('close', () => resolve(read));
    socket.on('error', reject);
  });
  expect(text).toMatch(/^HTTP\/1\.1 400 /);
  expect(text).toContain('"code":"BODY_INVALID"');
});

test('octet-stream and NDJSON bodies arrive as streams; any type does on a streaming route, elsewhere it is refused', async () => {
  const { url } = await start();
  for (const type of ['application/octet-stream', 'application/x-ndjson']) {
    const answer = await fetch(`${url}/lines`, { method: 'POST', headers: { 'content-type': type }, body: 'x'.repeat(70_000) });
    expect(await answer.json()).toEqual({ bytes: 70_000 });
  }
  const piped = await fetch(`${url}/pipe`, { method: 'PUT', headers: { 'content-type': 'image/png' }, body: new Uint8Array(5) });
  expect(await piped.json()).toEqual({ bytes: 5 });
  const pipedJson = await fetch(`${url}/pipe`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{not json' });
  expect(await pipedJson.json()).toEqual({ bytes: 9 });
  const refused = await fetch(`${url}/json`, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'a=1' });
  expect(refused.status).toBe(415);
  expect((await problemOfAnswer(refused)).code).toBe('CONTENT_TYPE_UNSUPPORTED');
});

test('a body without a content type (curl -T) reaches a streaming route', async () => {
  const { port } = await start();
  const body = await new Promise<string>((resolve, reject) => {
    const request = httpRequest({ port, path: '/pipe', method: 'PUT' }, (response) => {
      let text = '';
      response.on('data', (part: Buffer) => { text += part.toString(); });
      response.on('end', () => resolve(text));
    });
    request.on('error', reject);
    request.end('abc');
  });
  expect(JSON.parse(body)).toEqual({ bytes: 3 });
});

test('a StreamError is its row with its facts and Retry-After; anything else is INTERNAL, logged, and says nothing', async () => {
  const { url, logs } = await start();
  const busy = await fetch(`${url}/streams/busy`);
  expect(busy.status).toBe(429);
  expect(busy.headers.get('retry-after')).toBe('3');
  const stale = await problemOfAnswer(await fetch(`${url}/streams/stale`));
  expect(stale).toMatchObject({ code: 'STALE_EPOCH', epoch: 1, currentEpoch: 2, next: 'stop' });
  const broken = await fetch(`${url}/streams/other`, { headers: { 'x-request-id': 'call-7' } });
  expect(broken.status).toBe(500);
  const problem = await problemOfAnswer(broken);
  expect(problem).toMatchObject({ code: 'INTERNAL', requestId: 'call-7' });
  expect(JSON.stringify(problem)).not.toContain('secret');
  expect(logs.some((line) => line.includes('a secret of the inside') && line.includes('call-7') && line.includes('"streamNo":"other"'))).toBe(true);
});

test('an unknown path is NOT_FOUND, a known one with another method METHOD_NOT_ALLOWED with Allow', async () => {
  const { url } = await start();
  expect((await problemOfAnswer(await fetch(`${url}/nothing`))).code).toBe('NOT_FOUND');
  const wrong = await fetch(`${url}/streams/abc`, { method: 'POST' });
  expect(wrong.status).toBe(405);
  expect(wrong.headers.get('allow')).toBe('GET, HEAD');
  expect((await problemOfAnswer(wrong)).code).toBe('METHOD_NOT_ALLOWED');
  expect((await problemOfAnswer(await fetch(`${url}/streams/%zz`))).status).toBe(404);
});

test('an error after the answer began cuts the connection, so that no client takes the half for the whole', async () => {
  const { url } = await start();
  const answer = await fetch(`${url}/half`);
  expect(answer.status).toBe(200);
  await expect(answer.text()).rejects.toThrow('terminated');
});

test('[WATCH-11] CORS answers listed origins only, preflights too, and hijacked answers carry it', async () => {
  const { url } = await start({ RIVULET_CORS_ORIGINS: 'https://app.example' });
  const preflight = (origin: string): Promise<Response> => fetch(`${url}/json`, {
    method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
  });
  const allowed = await preflight('https://app.example');
  expect(allowed.status).toBe(204);
  expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example');
  const sent = [
    'Authorization', 'Content-Type', 'Last-Event-ID', 'Fragment-Seq', 'Idempotency-Key', 'Content-Encoding', 'If-None-Match', 'If-Range',
  ];
  for (const name of sent) {
    expect(allowed.headers.get('access-control-allow-headers')).toContain(name);
  }
  expect((await preflight('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull();
  const half = await fetch(`${url}/half`, { headers: { origin: 'https://app.example' } });
  expect(half.headers.get('access-control-allow-origin')).toBe('https://app.example');
  for (const name of ['Location', 'ETag', 'Retry-After', 'Repr-Digest', 'Stream-Status', 'Stream-Size-Bytes']) {
    expect(half.headers.get('access-control-expose-headers')).toContain(name);
  }
  expect(half.headers.get('referrer-policy')).toBe('no-referrer');
  await half.body?.cancel();
});

test('with auth off a page of another origin, or one that re-bound its name to loopback, is refused', async () => {
  const { url, port } = await start({ RIVULET_AUTH: 'off' });
  expect((await fetch(`${url}/json`, { method: 'POST' })).status).toBe(201);
  expect((await fetch(`${url}/json`, { method: 'POST', headers: { origin: 'https://evil.example' } })).status).toBe(403);
  const status = await new Promise<number>((resolve, reject) => {
    const request = httpRequest({ port, path: '/healthz', headers: { host: 'evil.example' } });
    request.on('response', (response) => { resolve(response.statusCode ?? 0); response.resume(); });
    request.on('error', reject).end();
  });
  expect(status).toBe(403);
});

test('[WATCH-11] a WebSocket opens for no Origin and our own, not for another page or another path', async () => {
  const { port } = await start();
  const open = (path: string, origin?: string): Promise<string> => new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, origin === undefined ? {} : { origin });
    socket.on('open', () => socket.send('hi'));
    socket.on('message', (message) => { resolve(String(message)); socket.close(); });
    socket.on('unexpected-response', (_request, response) => resolve(String(response.statusCode)));
  });
  expect(await open('/echo')).toBe('hi');
  expect(await open('/echo', `http://127.0.0.1:${port}`)).toBe('hi');
  expect(await open('/echo', 'https://evil.example')).toBe('403');
  expect(await open('/nothing')).toBe('404');
});

test('a WebSocket message above the bound ends the socket with 1009', async () => {
  const { port } = await start({ RIVULET_WS_FRAME_BYTES_MAX: '1024' });
  const code = await new Promise<number>((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/echo`);
    socket.on('open', () => socket.send('x'.repeat(2_000)));
    socket.on('close', resolve);
    socket.on('error', reject);
  });
  expect(code).toBe(1009);
});

test('/readyz says each check and why not; /healthz stays 200; /metrics has the usual names', async () => {
  const { url, frame } = await start();
  expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ ready: true, checks: { serving: { ready: true } } });
  frame.readiness.add('table', () => 'restoring 3 of 32 partitions');
  const notReady = await fetch(`${url}/readyz`);
  expect(notReady.status).toBe(503);
  expect(await notReady.json()).toMatchObject({ ready: false, checks: { table: { ready: false, why: 'restoring 3 of 32 partitions' } } });
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  frame.metrics.counter('probes_total', 'Probes.').inc();
  const text = await (await fetch(`${url}/metrics`)).text();
  for (const name of ['process_cpu_seconds_total', 'nodejs_eventloop_lag_seconds', 'rivulet_probes_total{app="probe"} 1']) expect(text).toContain(name);
  expect(text).toMatch(/http_request_duration_seconds_count\{app="probe",method="GET",route="\/readyz",status_code="503"\} 1/);
});

test('routes are recorded as they are registered', async () => {
  const { frame } = await start();
  for (const route of [{ method: 'POST', url: '/json' }, { method: 'GET', url: '/streams/:no' }, { method: 'GET', url: '/readyz' }]) {
    expect(frame.routes).toContainEqual(route);
  }
});

test('a query token is never logged', async () => {
  const { url, logs } = await start();
  await fetch(`${url}/streams/abc?token=eyJhbGciOi.secret&from=1.2`);
  expect(logs.join('')).not.toContain('secret&from');
  expect(logs.some((line) => line.includes('token=[redacted]&from=1.2'))).toBe(true);
});

test('drain: readiness goes first, a running request still gets its answer, then the port is free', async () => {
  const { url, frame, port, logs } = await start();
  const request = httpRequest({ port, path: '/lines', method: 'POST', headers: { 'content-type': 'application/x-ndjson' } });
  const answered = new Promise<number>((resolve, reject) => {
    request.on('response', (response) => { resolve(response.statusCode ?? 0); response.resume(); });
    request.on('error', reject);
  });
  const taken = once(began, 'lines');
  request.write('{}\n');
  await taken;
  frame.drain.add('appends', 'probe', async () => {
    expect(frame.readiness.isReady).toBe(false);
    request.end();
    expect(await answered).toBe(201);
  });
  expect(await frame.drain.run() || logs.slice(-3)).toBe(true);
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
});
