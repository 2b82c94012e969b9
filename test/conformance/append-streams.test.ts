import http from 'node:http';
import { setImmediate } from 'node:timers/promises';
import WebSocket from 'ws';
import type { ProduceReply, ProduceRequest } from '@rivulet/protocol';
import { Raw } from './raw';
import { suiteTarget } from './target';

const target = suiteTarget();
const raw = new Raw(target);

/** A request whose body is written by hand and whose answer is read line by line while it lasts. */
class LineRequest {
  readonly request: http.ClientRequest;
  private readonly lines: string[] = [];
  private rest = '';
  private isOver = false;
  private wake: () => void = () => undefined;
  status = 0;

  constructor(method: string, path: string, headers: Record<string, string>) {
    this.request = http.request(target.url + path, { method, headers });
    this.request.flushHeaders();
    this.request.on('response', (response) => {
      this.status = response.statusCode ?? 0;
      response.setEncoding('utf8');
      response.on('data', (text: string) => this.feed(text));
      response.on('close', () => this.finish());
    });
    this.request.on('error', () => this.finish());
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async line(): Promise<any> {
    const deadline = Date.now() + 15_000;
    while (this.lines.length === 0) {
      if (this.isOver || Date.now() > deadline) throw new Error(`no more lines (status ${this.status}, rest ${this.rest})`);
      const timer = setTimeout(() => this.wake(), 1000);
      await new Promise<void>((resolve) => (this.wake = resolve));
      clearTimeout(timer);
    }
    return JSON.parse(this.lines.shift() ?? '');
  }

  private feed(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop() ?? '';
    this.lines.push(...lines.filter((line) => line !== ''));
    this.wake();
  }

  private finish(): void {
    if (this.rest !== '') this.lines.push(this.rest);
    this.rest = '';
    this.isOver = true;
    this.wake();
  }
}

const bearer = (token: string, contentType: string): Record<string, string> => ({ authorization: `Bearer ${token}`, 'content-type': contentType });

test('[APPEND-1] NDJSON is acknowledged line by line while it is sent', async () => {
  const stream = await raw.open();
  const lines = new LineRequest('POST', `/v1/streams/${stream.streamNo}/fragments`, bearer(stream.writeToken, 'application/x-ndjson'));
  lines.request.write('{"seq":1,"data":"one "}\n');
  expect(await lines.line()).toEqual({ from: 1, to: 1 });
  // A blank line is proof of life and nothing else; a line may come in two pieces.
  lines.request.write('\n{"seq":2,"da');
  await setImmediate();
  lines.request.write('ta":"two"}\n');
  expect(await lines.line()).toEqual({ from: 2, to: 2 });
  lines.request.end();
  await raw.verdict(stream, 'end', { lastSeq: 2 });
  expect(await raw.content(stream.streamNo)).toBe('one two');
});

test('NDJSON broken midway: what came before is acknowledged, the problem names the place', async () => {
  const stream = await raw.open();
  const lines = new LineRequest('POST', `/v1/streams/${stream.streamNo}/fragments`, bearer(stream.writeToken, 'application/x-ndjson'));
  lines.request.write('{"seq":1,"data":"kept"}\n');
  expect(await lines.line()).toEqual({ from: 1, to: 1 });
  lines.request.write('{"seq":2,"data":\n{"seq":3,"data":"never"}\n');
  const problem = await lines.line();
  expect(problem.code ?? problem.problem?.code).toBe('BODY_INVALID');
  lines.request.destroy();
  expect(await raw.verdict(stream, 'end', { lastSeq: 1 })).toMatchObject({ status: 'ended', bytes: 4 });
});

test('[APPEND-3] a client that vanishes in the middle of NDJSON goes on where it was', async () => {
  const stream = await raw.open();
  const lines = new LineRequest('POST', `/v1/streams/${stream.streamNo}/fragments`, bearer(stream.writeToken, 'application/x-ndjson'));
  lines.request.write('{"seq":1,"data":"a"}\n{"seq":2,"data":"b"}\n{"seq":3,"da');
  await lines.line();
  lines.request.destroy();
  for (const [index, data] of ['a', 'b', 'c'].entries()) await raw.append(stream, { seq: index + 1, data });
  expect(await raw.verdict(stream, 'end', { lastSeq: 3 })).toMatchObject({ status: 'ended', bytes: 3 });
  expect(await raw.content(stream.streamNo)).toBe('abc');
});

test.each(['PUT', 'POST'])('%s pipe opens, appends as bytes come, and ends with the body', async (method) => {
  const pipe = new LineRequest(method, '/v1/pipe?channel=pipes', bearer(target.apiKey, 'text/plain; charset=utf-8'));
  const first = await pipe.line();
  expect(first.streamNo).toMatch(/^[0-9a-z]{32}$/);
  pipe.request.write('first ');
  const whole = Buffer.from('红楼');
  // [APPEND-9] cut inside a character
  pipe.request.write(whole.subarray(0, 2));
  await setImmediate();
  pipe.request.write(whole.subarray(2));
  pipe.request.end();
  expect(await raw.content(first.streamNo)).toBe('first 红楼');
  expect(await raw.state(first.streamNo)).toMatchObject({ status: 'ended', channel: 'pipes', bytes: 12 });
});

test('[APPEND-9] a text pipe cut inside a character is still text', async () => {
  const bytes = Buffer.from('🌊道可道'.repeat(50));
  const pipe = new LineRequest('PUT', '/v1/pipe', bearer(target.apiKey, 'text/plain; charset=utf-8'));
  const { streamNo } = await pipe.line();
  for (let at = 0; at < bytes.length; at += 7) {
    pipe.request.write(bytes.subarray(at, at + 7));
    await setImmediate();
  }
  pipe.request.end();
  expect(await raw.content(streamNo)).toBe(bytes.toString());
});

test('a pipe whose client vanishes is an abort, not an end', async () => {
  const pipe = new LineRequest('PUT', '/v1/pipe', { ...bearer(target.apiKey, 'text/plain'), 'content-length': '1000' });
  const { streamNo } = await pipe.line();
  pipe.request.write('half');
  const reader = await raw.response('GET', `/v1/watch/${streamNo}/content?live`, { signal: AbortSignal.timeout(60_000) });
  const body = reader.body?.getReader();
  expect(Buffer.from((await body?.read())?.value ?? []).toString()).toBe('half');
  pipe.request.destroy();
  // A failed stream must not look like a whole file.
  await expect(body?.read()).rejects.toThrow();
  expect(await raw.state(streamNo)).toMatchObject({ status: 'failed', bytes: 4 });
});

/** A producing socket, frame by frame. */
class ProduceSocket {
  private readonly socket = new WebSocket(`${target.url.replace(/^http/, 'ws')}/v1/streams/ws`);
  private readonly frames: ProduceReply[] = [];
  private wake: () => void = () => undefined;
  readonly closed: Promise<number>;

  constructor() {
    this.socket.on('message', (text) => {
      this.frames.push(JSON.parse(String(text)) as ProduceReply);
      this.wake();
    });
    this.closed = new Promise((resolve) => this.socket.on('close', resolve));
    this.socket.on('error', () => this.wake());
  }

  async open(token = target.apiKey): Promise<void> {
    await new Promise((resolve) => this.socket.once('open', resolve));
    this.send({ type: 'auth', token });
    await this.until('ready');
  }

  send(frame: ProduceRequest): void {
    this.socket.send(JSON.stringify(frame));
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async until(type: ProduceReply['type']): Promise<any> {
    const deadline = Date.now() + 15_000;
    for (;;) {
      const frame = this.frames.shift();
      if (frame?.type === type) return frame;
      if (frame?.type === 'problem') throw new Error(JSON.stringify(frame));
      if (frame !== undefined) continue;
      if (Date.now() > deadline) throw new Error(`no ${type} within 15 s`);
      const timer = setTimeout(() => this.wake(), 1000);
      await new Promise<void>((resolve) => (this.wake = resolve));
      clearTimeout(timer);
    }
  }

  close(): void {
    this.socket.close();
  }
}

test('[APPEND-2] many streams on one socket: opened, acknowledged in order, ended', async () => {
  const socket = new ProduceSocket();
  await socket.open();
  const streamNos: string[] = [];
  for (const id of ['a', 'b']) {
    socket.send({ type: 'open', id, options: { channel: `ws-${id}` } });
    const opened = await socket.until('opened');
    expect(opened.id).toBe(id);
    streamNos.push(opened.streamNo as string);
  }
  for (let seq = 1; seq <= 5; seq += 1) for (const streamNo of streamNos) socket.send({ type: 'append', streamNo, seq, data: `${seq}` });
  const reached = new Map<string, number>();
  while ([...reached.values()].filter((to) => to === 5).length < 2) {
    const ack = await socket.until('ack');
    expect(ack.to).toBeGreaterThan(reached.get(ack.streamNo as string) ?? 0);
    reached.set(ack.streamNo as string, ack.to as number);
  }
  for (const streamNo of streamNos) {
    socket.send({ type: 'end', streamNo, lastSeq: 5 });
    expect(await socket.until('verdict')).toMatchObject({ kind: 'end', streamNo, status: 'ended', sequence: 5, bytes: 5 });
    expect(await raw.content(streamNo)).toBe('12345');
  }
  socket.close();
});

test('a producing socket is told of a cancel at once', async () => {
  const socket = new ProduceSocket();
  await socket.open();
  socket.send({ type: 'open', id: '1' });
  const { streamNo } = await socket.until('opened');
  socket.send({ type: 'append', streamNo, seq: 1, data: 'x' });
  await socket.until('ack');
  await raw.call('POST', `/v1/streams/${streamNo}/cancel`, { json: { reason: 'reader left' } });
  expect(await socket.until('cancelled')).toMatchObject({ streamNo, reason: 'reader left' });
  socket.close();
});

test.each([
  ['no JSON', 'nonsense', 'FRAME_INVALID'],
  ['an unknown type', '{"type":"shout"}', 'FRAME_INVALID'],
  ['a wrong key', '{"type":"auth","token":"rk_x_wrong"}', 'UNAUTHENTICATED'],
])('a producing socket that sends %s first is told why', async (_, frame, code) => {
  const socket = new WebSocket(`${target.url.replace(/^http/, 'ws')}/v1/streams/ws`);
  const closed = new Promise<number>((resolve) => socket.on('close', resolve));
  const problem = new Promise((resolve) => socket.on('message', (text) => {
    const reply = JSON.parse(String(text)) as ProduceReply;
    if (reply.type === 'problem') resolve(reply);
  }));
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(frame);
  expect(await problem).toMatchObject({ type: 'problem', problem: { code } });
  socket.terminate();
  await closed;
});
