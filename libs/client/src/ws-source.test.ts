import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import type { WatchRequest } from '@rivulet/protocol';
import type { SourceEvent } from './sse-source';
import { Watching } from './watching';
import { wsEvents } from './ws-source';

let server: WebSocketServer;
afterEach(() => {
  for (const client of server.clients) client.terminate();
  server.close();
});

/** A peer that answers frames as told. */
async function peer(answer: (socket: WebSocket, frame: WatchRequest) => void): Promise<string> {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => socket.on('message', (text) => answer(socket, JSON.parse(String(text)) as WatchRequest)));
  await new Promise((resolve) => server.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
async function collect(url: string, options: { silenceMsMax?: number; signal?: AbortSignal } = {}): Promise<SourceEvent[]> {
  const events: SourceEvent[] = [];
  const source = { url, token: 'secret', window: 4, silenceMsMax: 5000, subscribe: { streamNo: 's', from: '1.0' }, ...options };
  for await (const event of wsEvents(source)) {
    events.push(event);
    if (event.type === 'final') break;
  }
  return events;
}
const reply = (socket: WebSocket, frame: object): void => socket.send(JSON.stringify(frame));

test('[WATCH-4] what was consumed is acknowledged, cumulatively, before the window is full', async () => {
  const acks: string[] = [];
  const url = await peer((socket, frame) => {
    if (frame.type === 'auth') reply(socket, { type: 'ready' });
    if (frame.type === 'subscribe') {
      expect(frame).toMatchObject({ streamNo: 's', from: '1.0', window: 4 });
      for (let n = 1; n <= 4; n += 1) reply(socket, { id: frame.id, type: 'fragment', from: n, to: n, cursor: `1.${n}`, text: 'x' });
    }
    if (frame.type !== 'ack') return;
    acks.push(frame.cursor);
    if (frame.cursor === '1.4') reply(socket, { id: frame.id, type: 'final', cursor: '1.4.f' });
  });
  expect((await collect(url)).map(({ id }) => id)).toEqual(['1.1', '1.2', '1.3', '1.4', '1.4.f']);
  expect(acks.at(-1)).toBe('1.4');
});

test('a problem keeps its code, a close code stands for one, any other close is transient', async () => {
  const problem = await peer((socket) => reply(socket, { type: 'problem', problem: { code: 'STREAM_GONE', status: 410 } }));
  await expect(collect(problem)).rejects.toMatchObject({ code: 'STREAM_GONE' });
  server.close();
  const closed = await peer((socket) => socket.close(4401));
  await expect(collect(closed)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  server.close();
  const cut = await peer((socket) => socket.terminate());
  await expect(collect(cut)).rejects.toMatchObject({ code: 'NOT_READY' });
});

test('[WATCH-10] a restart says in its close reason when to come back, a refused handshake in Retry-After', async () => {
  const restarting = await peer((socket) => socket.close(1012, 'retryAfterMs=1234'));
  await expect(collect(restarting)).rejects.toMatchObject({ code: 'NOT_READY', details: { retryAfterMs: 1234 } });
  server.close();
  const other = await peer((socket) => socket.close(1012, 'going away'));
  await expect(collect(other)).rejects.toMatchObject({ code: 'NOT_READY', details: { detail: 'The socket closed (1012).' } });
  const refusing = createServer().on('upgrade', (_request, socket) => socket.end('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n'));
  await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
  await expect(collect(`http://127.0.0.1:${(refusing.address() as AddressInfo).port}`)).rejects.toMatchObject({ code: 'NOT_READY', details: { retryAfterMs: 7_000 } });
  refusing.close();
});

test('a socket on which not even a ping comes is given up', async () => {
  const url = await peer(() => undefined);
  await expect(collect(url, { silenceMsMax: 60 })).rejects.toMatchObject({ code: 'NOT_READY' });
});

test('[WATCH-9] after a cursor of the final event the status is all that comes', async () => {
  const stream = { type: 'stream', streamNo: 's', status: 'ended', epoch: 1, attempt: 1, contentType: 'text/plain', merge: 'text', channel: '' };
  const url = await peer((socket, frame) => reply(socket, frame.type === 'auth' ? { type: 'ready' } : { id: '1', ...stream, metadata: {} }));
  const watching = new Watching({ url, token: 'secret', fetch }, 's', { transport: 'ws', from: '1.3.f' });
  const types: string[] = [];
  for await (const event of watching) types.push(event.type);
  expect(types).toEqual(['stream']);
});

test('a signal ends it at once', async () => {
  const stop = new AbortController();
  const url = await peer(() => stop.abort(new Error('left')));
  await expect(collect(url, { signal: stop.signal })).rejects.toThrow('left');
});
