/**
 * Kafka is killed for 20 s and comes back. Appends are refused within a bound with Retry-After, sessions stay,
 * nothing acknowledged is lost, and no lease lapses for the pause alone [OWN-6].
 */
import { setTimeout as elapse } from 'node:timers/promises';
import type { Acknowledged, Observed } from '../support/history';
import { checkHistory } from '../support/history';
import { startBroker } from '../support/kafka-broker';
import type { Broker } from '../support/kafka-broker';
import { readFragments } from '../support/read-fragments';
import { slowdown } from '../support/slowdown';
import { startSystem } from '../support/system';
import type { System } from '../support/system';
import { produce, watchAll } from '../support/traffic';

const AWAY_MS = 20_000;
/** From Kafka's first answer to the first acknowledgement of each stream: pauses of the log and of the producers, not more. */
const RECOVERY_MS_MAX = 10_000;
const STREAMS = 4;
const FRAGMENTS = 150;

let broker: Broker;
let system: System;
beforeAll(async () => {
  broker = await startBroker();
  system = await startSystem({ brokers: broker.brokers });
});
afterAll(async () => {
  await system?.stop();
  await broker?.stop();
});

test('[APPEND-5] Kafka away for 20 s: 503 with Retry-After meanwhile, streams go on afterwards, nothing acknowledged is lost', async () => {
  const acknowledged: Acknowledged[] = [];
  const observed: Observed[] = [];
  const wentOnAt = new Map<string, number>();
  let revivedAt = Infinity;
  let reached!: () => void;
  const isMidway = new Promise<void>((resolve) => { reached = resolve; });
  const traffic = Array.from({ length: STREAMS }, (_, index) => produce(system, {
    fragments: FRAGMENTS,
    intervalMs: 10,
    onOpened: (streamNo) => watchAll(system, streamNo, ['sse', 'ws'], `${index}`, observed),
    onAcknowledged: (entry) => {
      acknowledged.push(entry);
      if (performance.now() > revivedAt && !wentOnAt.has(entry.streamNo)) wentOnAt.set(entry.streamNo, performance.now() - revivedAt);
      if (acknowledged.length === (STREAMS * FRAGMENTS) / 3) reached();
    },
  }));
  const outage = isMidway.then(async () => {
    const since = Date.now();
    await broker.halt();
    const refused = await fetch(`${system.urls.ingest}/v1/streams/${observed[0]!.streamNo}/fragments`, {
      method: 'POST',
      headers: { authorization: `Bearer ${system.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ seq: 1, data: '1:· ' }), // a resend of what is there already: harmless when it gets through after all
    });
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ code: 'LOG_UNAVAILABLE', next: 'retry' });
    await elapse(Math.max(0, since + AWAY_MS - Date.now())); // the outage itself, not a wait for something
    await broker.revive();
    revivedAt = performance.now();
  });
  await Promise.all([...traffic, outage]);
  const waits = [...wentOnAt.values()].map(Math.round);
  console.log(`streams went on ${waits.join(', ')} ms after Kafka answered again`);
  expect(waits).toHaveLength(STREAMS);
  expect(Math.max(...waits)).toBeLessThan(RECOVERY_MS_MAX * slowdown());
  await Promise.all(observed.map(({ finished }) => finished));
  const records = await readFragments(broker.brokers, system.topicPrefix, [...new Set(observed.map(({ streamNo }) => streamNo))]);
  expect(acknowledged).toHaveLength(STREAMS * FRAGMENTS);
  expect(checkHistory({ records, acknowledged, observed })).toEqual([]);
  for (const { events } of observed) {
    expect(events.at(-1)).toMatchObject({ type: 'final', status: 'ended', sequence: FRAGMENTS });
    expect(events.filter(({ type }) => type === 'rewind')).toEqual([]);
  }
}, 400_000);
