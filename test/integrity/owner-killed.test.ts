/**
 * Every fanout instance folds for its own readers, so the owner of a partition may die without its readers elsewhere noticing: only who
 * publishes changes. The sessions of the dead instance come back where they are let in.
 */
import { rivulet } from '@rivulet/client';
import { eventually } from '../support/eventually';
import { HistoryChecker } from '../support/history';
import type { AcknowledgedRun } from '../support/history';
import { scanFragments } from '../support/read-fragments';
import { SessionRecord } from '../support/session-record';
import { slowdown } from '../support/slowdown';
import { startSystem } from '../support/system';
import type { System } from '../support/system';
import { produce } from '../support/traffic';

const BROKERS = process.env['KAFKA_BROKERS']!;
const PARTITIONS = 8;
const STREAMS = 8;
const FRAGMENTS = 400;
/** Below the session time-out of 3 s, after which partitions move: whoever waits for that waits longer. */
const PAUSE_MS_MAX = 2500;

let system: System;
beforeAll(async () => {
  const env = { RIVULET_PARTITIONS_INTERACTIVE: String(PARTITIONS - 2), RIVULET_PARTITIONS_BULK: '2' };
  system = await startSystem({ brokers: BROKERS, proxy: true, counts: { fanout: 2 }, env });
});
afterAll(async () => { await system?.stop(); });

async function ownedBy(index: number): Promise<number> {
  const text = await (await fetch(`${system.instances.fanout[index]!.url}/metrics`)).text();
  return Number(/^rivulet_owned_partitions(?:\{.*\})? (\d+)$/m.exec(text)?.[1]);
}

interface Session { record: SessionRecord; longestPauseMs: number; finished: Promise<void> }

function follow(url: string, streamNo: string, transport: 'sse' | 'ws'): Session {
  const session: Session = { record: new SessionRecord(transport, streamNo), longestPauseMs: 0, finished: Promise.resolve() };
  let lastAt = performance.now();
  session.finished = (async () => {
    const watching = rivulet({ url, token: system.apiKey }).watch(streamNo, { transport, signal: AbortSignal.timeout(180_000) });
    for await (const event of watching) {
      session.record.add(event);
      session.longestPauseMs = Math.max(session.longestPauseMs, performance.now() - lastAt);
      lastAt = performance.now();
    }
  })();
  return session;
}

test('sessions of one instance do not notice that the other, which owned half of the partitions, was killed; its own come back', async () => {
  await eventually(async () => expect([await ownedBy(0), await ownedBy(1)]).toEqual([PARTITIONS / 2, PARTITIONS / 2]));
  const stay: Session[] = [];
  const move: Session[] = [];
  const acknowledged: AcknowledgedRun[] = [];
  let reached!: () => void;
  const isMidway = new Promise<void>((resolve) => { reached = resolve; });
  const traffic = Array.from({ length: STREAMS }, (_, index) => produce(system, {
    fragments: FRAGMENTS, intervalMs: 10,
    onOpened: (streamNo) => {
      const transport = index % 2 === 0 ? 'sse' : 'ws';
      stay.push(follow(system.instances.fanout[0]!.url, streamNo, transport));
      move.push(follow(system.urls.proxy, streamNo, transport));
    },
    onAcknowledged: ({ streamNo, epoch, sequence, payload }) => {
      acknowledged.push({ streamNo, epoch, from: sequence, to: sequence, payloadOf: () => payload });
      if (acknowledged.length >= (STREAMS * FRAGMENTS) / 3) reached();
    },
  }));
  await isMidway;
  await system.kill('fanout', 'SIGKILL', 1);
  await eventually(async () => expect(await ownedBy(0)).toBe(PARTITIONS));
  await Promise.all([...traffic, ...[...stay, ...move].map(({ finished }) => finished)]);

  const checker = new HistoryChecker(acknowledged);
  await scanFragments(BROKERS, system.topicPrefix, new Set(stay.map(({ record }) => record.streamNo)), (record) => checker.add(record));
  expect(acknowledged).toHaveLength(STREAMS * FRAGMENTS);
  expect(checker.finish([...stay, ...move].map(({ record }) => record))).toEqual([]);
  expect(stay.map(({ record }) => record.connections)).toEqual(stay.map(() => 1));
  expect(Math.max(...stay.map(({ longestPauseMs }) => longestPauseMs))).toBeLessThan(PAUSE_MS_MAX * slowdown());
  expect(move.some(({ record }) => record.connections > 1)).toBe(true);
  expect([...stay, ...move].every(({ record }) => record.finalStatus === 'ended' && record.last === FRAGMENTS)).toBe(true);
});
