import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';
import { startRivulet } from '@rivulet/standalone';
import type { ReaderEvent } from '@rivulet/protocol';
import { rivulet } from './rivulet';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

const event = (type: string, body: object, id = ''): string => `${id === '' ? '' : `id: ${id}\n`}event: ${type}\ndata: ${JSON.stringify(body)}\n\n`;
const FINAL = { status: 'ended', reason: '', message: '', epoch: 1, sequence: 1, bytes: 5, checksum: crc32('right'), digest: '', metadata: {}, at: 0 };

/** A service whose n-th answer carries the n-th text, or the last. @returns its address and the cursors it was asked for */
async function serviceOf(texts: string[]): Promise<{ url: string; cursors: unknown[] }> {
  const cursors: unknown[] = [];
  server = createServer((request, response) => {
    const text = texts[Math.min(texts.length, cursors.push(request.headers['last-event-id'])) - 1];
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(event('stream', { status: 'open', epoch: 1, attempt: 1, contentType: 'text/plain', merge: 'text', channel: '', metadata: {} }));
    response.end(event('fragment', { from: 1, to: 1, cursor: '1.1', text }, '1.1') + event('final', { ...FINAL, cursor: '1.1.f' }, '1.1.f'));
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cursors };
}

test('[JUDGE-7] what differs from the checksum is read again from the start, after a rewind', async () => {
  const { url, cursors } = await serviceOf(['wrong', 'right']);
  const seen: ReaderEvent[] = [];
  for await (const one of rivulet({ url, token: 't' }).watch('s')) seen.push(one);
  expect(seen.map(({ type }) => type)).toEqual(['stream', 'fragment', 'rewind', 'stream', 'fragment', 'final']);
  expect(seen[2]).toMatchObject({ epoch: 1, cursor: '1.0' });
  expect(seen[4]).toMatchObject({ text: 'right' });
  expect(cursors).toEqual([undefined, undefined]);
});

test('[JUDGE-7] text() is the right one of the two, and what is wrong twice is CHECKSUM_MISMATCH', async () => {
  const once = await serviceOf(['wrong', 'right']);
  expect(await rivulet({ url: once.url, token: 't' }).watch('s').text()).toBe('right');
  server!.closeAllConnections();
  server!.close();
  const twice = await serviceOf(['wrong', 'WRONG', 'right']);
  await expect(rivulet({ url: twice.url, token: 't' }).watch('s').text()).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' });
  expect(twice.cursors).toHaveLength(2);
});

test('[WATCH-8] leaving a watch, by break or by signal, never cancels the stream; cancel() does', async () => {
  const system = await startRivulet({ env: { RIVULET_LOG_LEVEL: 'error' } });
  try {
    const client = rivulet({ url: system.url, token: system.apiKey });
    const producer = await client.open();
    await producer.write('one ');
    for (const transport of ['sse', 'ws'] as const) {
      for await (const one of client.watch(producer.streamNo, { transport })) if (one.type === 'fragment') break;
      const leave = new AbortController();
      const watching = client.watch(producer.streamNo, { transport, signal: leave.signal }).text();
      leave.abort(new Error('left'));
      await expect(watching).rejects.toThrow('left');
    }
    await producer.write('two');
    await producer.flush();
    expect(await client.state(producer.streamNo)).toMatchObject({ status: 'open', bytes: 7 });
    const watching = client.watch(producer.streamNo);
    expect(await watching.cancel('enough')).toMatchObject({ status: 'cancelled' });
    const seen: ReaderEvent[] = [];
    for await (const one of watching) seen.push(one);
    expect(seen.at(-1)).toMatchObject({ type: 'final', status: 'cancelled', reason: expect.stringContaining('enough') });
    await expect(producer.end()).rejects.toMatchObject({ code: 'STREAM_FINAL' });
  } finally {
    await system.stop();
  }
});
