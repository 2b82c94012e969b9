import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { BodyReader } from './body-reader';

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
