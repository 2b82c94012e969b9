import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { BodyReader, IDLE } from './body-reader';

function open(): BodyReader {
  const request = new PassThrough();
  return new BodyReader(request, request as unknown as IncomingMessage);
}
const never = (): Promise<void> => new Promise(() => undefined);

test('[APPEND-5] who waits for room gets out when the body is stopped, and does not begin to wait afterwards', async () => {
  const body = open();
  const waiting = body.unlessStopped(never);
  body.stop(new Error('cancelled'));
  await expect(waiting).rejects.toThrow('cancelled');
  await expect(body.unlessStopped(never)).rejects.toThrow('cancelled');
});

test('work that ends by itself is what the wait ends with', async () => {
  const body = open();
  await expect(body.unlessStopped(() => Promise.resolve())).resolves.toBeUndefined();
  await expect(body.unlessStopped(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
});

test('bytes that came while this process was busy for longer than the wait are not late', async () => {
  const waitMs = 50;
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sending = httpRequest({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', method: 'POST' });
  sending.flushHeaders();
  const [request, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
  const body = new BodyReader(request, request);
  const waiting = body.next(waitMs);
  sending.write('in time');
  const busyUntil = performance.now() + 2 * waitMs;
  while (performance.now() < busyUntil); // nothing else runs here meanwhile: neither the timer nor the socket
  const came = [await waiting, await body.next(waitMs)];
  sending.end();
  response.end();
  server.close();
  expect(came).toEqual([Buffer.from('in time'), IDLE]);
});
