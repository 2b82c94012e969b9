/**
 * Reconnect storms on real processes: 2,000 sessions drop at once and come back, first because their connections were reset, then because
 * fanout was killed and started again. Times are printed, not judged: bench/storm.mjs measures them.
 */
import { StormRun } from '../../tools/storm.cjs';
import { startSystem } from '../support/system';
import type { System } from '../support/system';

const SESSIONS = 2_000;
const STREAMS = 20;
const MIB = 1_048_576;
/** Memory of a storm against the same sessions in calm. Generous: a heap may double before it is swept; a queue per session cannot. */
const RESIDENT_RATIO_MAX = 2;
const RESIDENT_SLACK_BYTES = 128 * MIB;

let system: System;
let run: StormRun;
beforeAll(async () => {
  system = await startSystem();
  run = new StormRun(system);
});
afterAll(async () => {
  run?.close();
  await system?.stop();
});

test('[WATCH-1] [WATCH-4] 2,000 sessions drop at once, twice, and all complete: memory is bounded, producers are acknowledged throughout', async () => {
  await run.begin({ streamCount: STREAMS, sessionCount: SESSIONS, perSecond: 4 });
  const calm = await run.calm(5_000);
  const drop = await run.drop();
  const kill = await run.killFanout();
  const faults = await run.end();
  const shown = Object.entries({ calm, 'connections reset': drop, 'fanout killed': kill }).map(([name, { backMs, appendMs, residentBytesMax }]) =>
    `${name}: content again p50 ${backMs.p50.toFixed(0)} ms, all ${backMs.max.toFixed(0)} ms; `
    + `append p50 ${appendMs.p50.toFixed(1)} ms, p99 ${appendMs.p99.toFixed(1)} ms of ${appendMs.count}; fanout at most ${(residentBytesMax / MIB).toFixed(0)} MiB`);
  console.log(`${SESSIONS} sessions of ${STREAMS} streams\n${shown.join('\n')}`);
  expect(faults).toEqual([]);
  const [{ sequences }, bytes] = [run, new Map<string, Set<number>>()];
  for (const session of run.sessions) {
    const seen = bytes.get(session.stream.streamNo) ?? new Set();
    bytes.set(session.stream.streamNo, seen.add(session.bytes));
  }
  expect([...bytes.values()].map(({ size }) => size)).toEqual(Array(STREAMS).fill(1));
  expect(run.sessions.map(({ sequence }) => sequence)).toEqual(run.sessions.map((_, index) => sequences[index % STREAMS]));
  const bound = calm.residentBytesMax * RESIDENT_RATIO_MAX + RESIDENT_SLACK_BYTES;
  expect(calm.residentBytesMax).toBeGreaterThan(0);
  expect(Math.max(drop.residentBytesMax, kill.residentBytesMax)).toBeLessThan(bound);
}, 600_000);
