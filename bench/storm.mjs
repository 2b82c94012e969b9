// (f) 2,000 sessions drop at once and come back, by a reset of their connections and by kill -9 of fanout, while producers go on.
// Reference: the same load in calm.
import { createRequire } from 'node:module';
import { row } from './report.mjs';
import { elapse } from './streams.mjs';

const { StormRun } = createRequire(import.meta.url)('../tools/storm.cjs');
const SESSIONS = 2000;
const LOAD = { streamCount: 20, sessionCount: SESSIONS, perSecond: 4 };
const MIB = 1_048_576;

export async function storm({ system, isQuick }) {
  const run = new StormRun(system);
  try {
    await run.begin(LOAD);
    await elapse(3000); // the sessions' first events are behind it
    const calm = await run.calm(isQuick ? 10_000 : 30_000);
    const storms = [['connections reset', await run.drop()]];
    await run.calm(3000);
    storms.push(['kill -9 of fanout', await run.killFanout()]);
    const faults = await run.end();
    for (const fault of faults.slice(0, 10)) console.log(`bench: storm: ${fault}`);
    const question = (name) => `storm of ${SESSIONS} sessions: ${name}`;
    const compared = (name, metric, value, reference, unit, most) => row(question(name), metric, value, unit, {
      reference, ratio: value / reference, target: `≤ ${most} × calm`, met: value <= most * reference,
    });
    return [
      ...storms.flatMap(([name, { backMs, appendMs, residentBytesMax }]) => [
        row(question(name), 'content again, p50', backMs.p50 / 1000, 's'),
        row(question(name), 'content again, all', backMs.max / 1000, 's'),
        compared(name, 'append p99', appendMs.p99, calm.appendMs.p99, 'ms', 3),
        compared(name, 'memory of fanout at most', residentBytesMax / MIB, calm.residentBytesMax / MIB, 'MiB', 2),
      ]),
      row(question('both'), 'lost, duplicated, reordered, not acknowledged', faults.length, '', { target: '0', met: faults.length === 0 }),
    ];
  } finally {
    run.close();
  }
}
