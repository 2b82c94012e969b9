import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { FaultProxy } from './fault-proxy.cjs';

let echo: net.Server;
let served: net.Socket[];
let proxy: FaultProxy;
const clients: net.Socket[] = [];

beforeEach(async () => {
  served = [];
  echo = net.createServer({ allowHalfOpen: true }, (socket) => {
    served.push(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  proxy = await new FaultProxy({ port: (echo.address() as AddressInfo).port }).listen();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  for (const socket of served) socket.destroy();
  await proxy.close();
  await new Promise((resolve) => echo.close(resolve));
});

/** A client that keeps what it got and how it ended. */
class Client {
  text = '';
  ending = '';
  readonly closed: Promise<void>;
  constructor(readonly socket: net.Socket) {
    this.closed = new Promise((resolve) => { socket.once('close', () => resolve()); });
    clients.push(socket);
    socket.setEncoding('utf8').on('data', (text: string) => { this.text += text; });
    socket.on('end', () => { this.ending ||= 'end'; });
    socket.on('error', (error: NodeJS.ErrnoException) => { this.ending = error.code ?? 'error'; });
  }

  async until(text: string): Promise<void> {
    while (this.text !== text) await once(this.socket, 'data');
  }
}

async function connect(): Promise<Client> {
  const socket = net.connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  return new Client(socket);
}

/** The event loop has delivered what was on its way: the other connection, sent later, has its echo. */
async function roundTripElsewhere(): Promise<void> {
  const direct = net.connect((echo.address() as AddressInfo).port, '127.0.0.1');
  clients.push(direct);
  for (let i = 0; i < 20; i++) {
    direct.write('x');
    await once(direct, 'data');
  }
}

test('bytes and the end pass in both directions', async () => {
  const client = await connect();
  client.socket.end('hello');
  await once(client.socket, 'end');
  expect([client.text, client.ending]).toEqual(['hello', 'end']);
});

test('more than fits on the way arrives whole', async () => {
  const client = await connect();
  const text = 'abcdefgh'.repeat(1_000_000);
  client.socket.end(text);
  await once(client.socket, 'end');
  expect(client.text === text).toBe(true);
});

test('a stalled proxy delivers nothing, keeps the connection, and delivers everything afterwards', async () => {
  const client = await connect();
  client.socket.write('one ');
  await client.until('one ');
  proxy.set('stall');
  client.socket.write('two ');
  const late = await connect();
  late.socket.write('late');
  await roundTripElsewhere();
  expect([client.text, late.text, client.ending]).toEqual(['one ', '', '']);
  proxy.set('pass');
  await client.until('one two ');
  await late.until('late');
});

test('a black hole accepts and swallows, and resets afterwards what lost bytes', async () => {
  const client = await connect();
  client.socket.write('one ');
  await client.until('one ');
  proxy.set('blackhole');
  const late = await connect();
  late.socket.write('late');
  await roundTripElsewhere();
  expect([late.text, late.ending]).toEqual(['', '']);
  proxy.set('pass');
  await late.closed;
  expect(late.ending).toBe('ECONNRESET');
  client.socket.write('two ');
  await client.until('one two ');
});

test('one connection has trouble of its own', async () => {
  const [first, second] = [await connect(), await connect()];
  first.socket.write('a');
  await first.until('a');
  second.socket.write('b');
  await second.until('b');
  const [connection] = proxy.connections;
  connection!.set('stall');
  first.socket.write('A');
  second.socket.write('B');
  await second.until('bB');
  await roundTripElsewhere();
  expect(first.text).toBe('a');
  connection!.set('pass');
  await first.until('aA');
});

test('a reset is an RST on both sides', async () => {
  const client = await connect();
  client.socket.write('x');
  await client.until('x');
  const failed = new Promise((resolve) => { served[0]!.once('error', resolve); });
  expect(proxy.reset()).toBe(1);
  const [error] = await Promise.all([failed, client.closed]);
  expect([client.ending, (error as NodeJS.ErrnoException).code]).toEqual(['ECONNRESET', 'ECONNRESET']);
});

test('a proxy that refuses cuts everybody and is not there, until it accepts again on its port', async () => {
  const client = await connect();
  await proxy.refuse();
  await client.closed;
  await expect(connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await proxy.accept();
  const again = await connect();
  again.socket.write('back');
  await again.until('back');
});

test('a server that goes while the network stalls is noticed when it passes again', async () => {
  const client = await connect();
  client.socket.write('x');
  await client.until('x');
  proxy.set('stall');
  served[0]!.resetAndDestroy();
  await roundTripElsewhere();
  expect(client.ending).toBe('');
  proxy.set('pass');
  await client.closed;
  expect(client.ending).not.toBe('');
});

test('what is delayed arrives later, in its order', async () => {
  const client = await connect();
  proxy.delay(80);
  const start = performance.now();
  client.socket.write('one ');
  const [connection] = proxy.connections;
  while (connection!.client.bytesRead === 0) await roundTripElsewhere();
  proxy.delay(0);
  client.socket.write('two ');
  await client.until('one two ');
  expect(performance.now() - start).toBeGreaterThan(79);
});
