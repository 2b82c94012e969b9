/**
 * A stream that falls silent, through the proxy: sessions stay (comments keep their connections), readers learn `lost` when the
 * lease is over, and when the producer speaks again they learn `resumed` and get the rest. SILENT_MS=600000 makes it the full ten minutes.
 */
import { setTimeout as elapse } from 'node:timers/promises';
import { rivulet } from '@rivulet/client';
import type { ReaderEvent } from '@rivulet/protocol';
import { startSystem } from '../support/system';
import type { System } from '../support/system';

const SILENT_MS = Number(process.env['SILENT_MS'] ?? 20_000);

let system: System;
beforeAll(async () => { system = await startSystem({ brokers: process.env['KAFKA_BROKERS'], proxy: true }); });
afterAll(async () => { await system?.stop(); });

test('[JUDGE-8] a stream that was silent goes on where it stopped, on the connections that were open all the time', async () => {
  const call = async (path: string, token: string, body: unknown): Promise<Record<string, unknown>> => {
    const response = await fetch(`${system.urls.proxy}${path}`, {
      method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(body),
    });
    expect(response.status).toBeLessThan(300);
    return response.json() as Promise<Record<string, unknown>>;
  };
  const { streamNo, writeToken } = await call('/v1/streams', system.apiKey, { leaseMs: 5000 }) as { streamNo: string; writeToken: string };
  await call(`/v1/streams/${streamNo}/fragments`, writeToken, { seq: 1, data: 'before ' });
  const client = rivulet({ url: system.urls.proxy, token: system.apiKey });
  const watched = (['sse', 'ws'] as const).map(async (transport) => {
    const events: ReaderEvent[] = [];
    for await (const event of client.watch(streamNo, { transport })) events.push(event);
    return events;
  });
  await elapse(SILENT_MS); // the silence itself, not a wait for something
  await call(`/v1/streams/${streamNo}/fragments`, writeToken, { seq: 2, data: 'after' });
  await call(`/v1/streams/${streamNo}/end`, writeToken, { lastSeq: 2 });
  for (const events of await Promise.all(watched)) {
    // One `stream` event: nobody had to reconnect.
    expect(events.map(({ type }) => type)).toEqual(['stream', 'fragment', 'lost', 'resumed', 'fragment', 'final']);
    expect(events.map((event) => ('text' in event ? event.text : '')).join('')).toBe('before after');
  }
}, SILENT_MS + 180_000);
