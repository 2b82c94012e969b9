/**
 * Confirmed delivery over two fanout processes on a real Kafka: a session reads at one and confirms through the other, all of it is killed,
 * and what was confirmed is still listed and gone on from, since the log is all that knows it.
 */
import { rivulet } from '@rivulet/client';
import type { Producer, Rivulet } from '@rivulet/client';
import type { ConfirmedCursor, ReaderEvent } from '@rivulet/protocol';
import { eventually } from '../support/eventually';
import { startSystem } from '../support/system';
import type { System } from '../support/system';

const SESSION = 'app';
let system: System;
beforeAll(async () => {
  system = await startSystem({ brokers: process.env['KAFKA_BROKERS'], proxy: true, counts: { fanout: 2 } });
});
afterAll(async () => { await system?.stop(); });

const at = (index: number): Rivulet => rivulet({ url: system.instances.fanout[index]!.url, token: system.apiKey });
const confirmedAt = async (index: number, streamNo: string): Promise<ConfirmedCursor[]> =>
  (await at(index).state(streamNo)).confirmed ?? [];
const confirmThrough = (index: number, streamNo: string, cursor: string): Promise<void> =>
  at(index).watch(streamNo, { session: SESSION, ack: 'manual' }).ack(cursor);

async function opened(fragments: number): Promise<{ producer: Producer; streamNo: string }> {
  const producer = await rivulet({ url: system.urls.proxy, token: system.apiKey }).open({});
  for (let sequence = 1; sequence <= fragments; sequence += 1) await producer.write(`${sequence} `);
  await producer.flush();
  return { producer, streamNo: producer.streamNo };
}

async function restartAll(): Promise<void> {
  const parts = [['allocator', 0], ['ingest', 0], ['fanout', 0], ['fanout', 1]] as const;
  await Promise.all(parts.map(([app, index]) => system.kill(app, 'SIGKILL', index)));
  await Promise.all(parts.map(([app, index]) => system.restart(app, index)));
}

test('[WATCH-7] what a session confirmed at another instance than it reads from survives kill -9 of everything, is listed, and is where it goes on', async () => {
  const { streamNo, producer } = await opened(30);
  let confirmed = 0;
  for await (const event of at(0).watch(streamNo, { session: SESSION, window: 5, ack: 'manual' })) {
    if (event.type !== 'fragment') continue;
    expect(event.to).toBeLessThanOrEqual(confirmed + 5);
    if (event.to < confirmed + 5) continue;
    if (event.to > 17) break;
    confirmed = event.to - 1;
    await confirmThrough(1, streamNo, `1.${confirmed}`);
  }
  const before = await confirmedAt(0, streamNo);
  expect(before).toEqual([{ session: SESSION, cursor: `1.${confirmed}`, confirmedAt: expect.any(Number), isFinal: false }]);
  expect(await confirmedAt(1, streamNo)).toEqual(before);
  const ending = producer.end(); // resent until the ingest is back
  await restartAll();
  await ending;
  expect(await confirmedAt(0, streamNo)).toEqual(before);
  expect(await confirmedAt(1, streamNo)).toEqual(before);
  const seen: ReaderEvent[] = [];
  for await (const event of at(1).watch(streamNo, { session: SESSION, transport: 'ws' })) seen.push(event);
  expect(seen[0]).toMatchObject({ type: 'stream', confirmed: `1.${confirmed}` });
  expect(seen.find(({ type }) => type === 'fragment')).toMatchObject({ from: confirmed + 1 });
  const text = seen.map((event) => (event.type === 'fragment' ? event.text : '')).join('');
  expect(text).toBe(Array.from({ length: 30 - confirmed }, (_, index) => `${confirmed + index + 1} `).join(''));
  expect(seen.at(-1)).toMatchObject({ type: 'final', status: 'ended', sequence: 30 });
  for (const index of [0, 1]) {
    expect(await confirmedAt(index, streamNo)).toEqual([{ session: SESSION, cursor: '1.30.f', confirmedAt: expect.any(Number), isFinal: true }]);
  }
});

test('[WATCH-6] a name that connects at another instance ends the older connection, which stops', async () => {
  const { streamNo } = await opened(1);
  const attached: string[] = [];
  const loop = async (index: number, signal?: AbortSignal): Promise<void> => {
    for await (const { type } of at(index).watch(streamNo, { session: SESSION, signal })) attached.push(`${index} ${type}`);
  };
  const older = loop(0);
  older.catch(() => undefined); // looked at below
  await eventually(() => expect(attached).toContain('0 fragment'));
  const newer = new AbortController();
  const second = loop(1, newer.signal);
  second.catch(() => undefined);
  await expect(older).rejects.toMatchObject({ code: 'SESSION_TAKEN' });
  await eventually(() => expect(attached).toContain('1 stream'));
  newer.abort(new Error('enough'));
  await expect(second).rejects.toThrow('enough');
});
