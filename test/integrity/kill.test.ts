/**
 * SIGTERM and kill -9 of each app in the middle of streams, on a real Kafka. Producers resend, sessions resume; the history checker
 * compares what was acknowledged, what the log holds and what every session saw.
 */
import type { Acknowledged, Observed } from '../support/history';
import { checkHistory } from '../support/history';
import { readFragments } from '../support/read-fragments';
import { startSystem } from '../support/system';
import type { System } from '../support/system';
import { produce, watchAll } from '../support/traffic';

let system: System;
beforeAll(async () => { system = await startSystem({ brokers: process.env['KAFKA_BROKERS'] }); });
afterAll(async () => { await system?.stop(); });

const STREAMS = 6;
const FRAGMENTS = 120;

test.each([
  ['ingest', 'SIGTERM'], ['ingest', 'SIGKILL'], ['fanout', 'SIGTERM'], ['fanout', 'SIGKILL'], ['allocator', 'SIGTERM'], ['allocator', 'SIGKILL'],
] as const)('%s stopped by %s mid-stream: nothing acknowledged is lost, doubled or reordered', async (app, signal) => {
  const acknowledged: Acknowledged[] = [];
  const observed: Observed[] = [];
  let written = 0;
  let reached!: () => void;
  const isMidway = new Promise<void>((resolve) => { reached = resolve; });
  const traffic = Array.from({ length: STREAMS }, async (_, index) => {
    await produce(system, {
      fragments: FRAGMENTS,
      intervalMs: 10,
      onOpened: (streamNo) => watchAll(system, streamNo, ['sse', 'ws'], `${index}`, observed),
      onAcknowledged: (entry) => {
        acknowledged.push(entry);
        written += 1;
        if (written === (STREAMS * FRAGMENTS) / 3) reached();
      },
    });
  });
  const fault = isMidway.then(async () => {
    await system.kill(app, signal);
    await system.restart(app);
  });
  const watched = await Promise.all([...traffic, fault]).then(() => Promise.all(observed.map((session) => session.finished)));
  expect(watched).toHaveLength(STREAMS * 2);
  const streamNos = [...new Set(observed.map(({ streamNo }) => streamNo))];
  const records = await readFragments(process.env['KAFKA_BROKERS']!, system.topicPrefix, streamNos);
  expect(acknowledged).toHaveLength(STREAMS * FRAGMENTS);
  expect(checkHistory({ records, acknowledged, observed })).toEqual([]);
  for (const { events } of observed) expect(events.at(-1)).toMatchObject({ type: 'final', status: 'ended', sequence: FRAGMENTS });
});
