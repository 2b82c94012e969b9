// Does a flood of bulk move interactive? 50 interactive streams × 30/s, HTTP in and SSE out, calm and under a flood of bulk from another
// process: at full speed (4 NDJSON producers that never wait, one at 20 MB/s, 4 that post one fragment after the other), and limited to
// 5 MB/s, which leaves CPU.
// On a machine with few cores everything shares them, broker and load included. So beside each stands the floor: the same interactive
// load while the same bytes are written and read by bare kafkajs, past Rivulet. What is above that floor is our doing.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { measureService } from './latency.mjs';
import { row } from './report.mjs';
import { elapse } from './streams.mjs';

const script = (name) => fileURLToPath(new URL(name, import.meta.url));
const MB = 1_000_000;
const GOAL = 2;
const PRODUCERS = 5;
const LIMITED = { producers: PRODUCERS, lineBytes: 4000, bytesPerSecond: MB };
const UNLIMITED = [
  { producers: 4, lineBytes: 1000, bytesPerSecond: 0 }, { producers: 1, lineBytes: 60_000, bytesPerSecond: 20 * MB },
  { producers: 4, lineBytes: 4000, bytesPerSecond: 0, isPosted: true },
];

async function bytesOf(flood) {
  const answer = once(flood, 'message');
  flood.send({ kind: 'report' });
  return (await answer)[0].bytes;
}

/** Measures interactive while a flood runs. @returns its quantiles, and what of the flood was acknowledged, bytes per second */
async function underFlood(system, seconds, program, orders) {
  const to = { url: system.urls.ingest, apiKey: system.apiKey, brokers: system.brokers };
  const flood = fork(script(program), [JSON.stringify(orders.map((order) => ({ ...to, ...order })))]);
  const failed = once(flood, 'exit').then(([code]) => { throw new Error(`${program} ended with code ${code}`); });
  failed.catch(() => undefined);
  try {
    await Promise.race([once(flood, 'message'), failed]);
    await elapse(1000); // queues fill
    const before = await bytesOf(flood); const startedAt = performance.now();
    const measured = await Promise.race([measureService(system, seconds), failed]);
    const perSecond = (await bytesOf(flood) - before) / ((performance.now() - startedAt) / 1000);
    console.log(`bench: priority: ${program} ${(perSecond / MB).toFixed(1)} MB/s: p50 ${measured.p50.toFixed(1)} p99 ${measured.p99.toFixed(1)} ms`);
    return { ...measured, perSecond };
  } finally {
    flood.kill('SIGKILL');
    await elapse(2000); // what is queued is read
  }
}

const median = (list, key) => list.map((entry) => entry[key]).sort((a, b) => a - b)[Math.floor(list.length / 2)];

export async function priority({ system, isQuick }) {
  const seconds = isQuick ? 5 : 15;
  await measureService(system, seconds); // warms the JVM
  const calm = []; const full = []; const fullFloor = []; const limited = []; const limitedFloor = [];
  // Three rounds also when it is quick: the p99 of a few seconds is one pause of the broker more or less.
  for (let round = 3; round > 0; round--) {
    calm.push(await measureService(system, seconds));
    console.log(`bench: priority: calm: p50 ${calm.at(-1).p50.toFixed(1)} p99 ${calm.at(-1).p99.toFixed(1)} ms`);
    full.push(await underFlood(system, seconds, './flood.mjs', UNLIMITED));
    const bytesPerSecond = Math.round(full.at(-1).perSecond / PRODUCERS);
    fullFloor.push(await underFlood(system, seconds, './bare-flood.mjs', [{ producers: PRODUCERS, lineBytes: 4000, bytesPerSecond }]));
    limited.push(await underFlood(system, seconds, './flood.mjs', [LIMITED]));
    limitedFloor.push(await underFlood(system, seconds, './bare-flood.mjs', [LIMITED]));
  }
  const rows = [];
  for (const [name, measured, floor] of [['full speed', full, fullFloor], ['5 MB/s', limited, limitedFloor]]) {
    const question = `interactive under a bulk flood at ${name}`;
    const wrong = measured.reduce((sum, { lost, duplicated, reordered }) => sum + lost + duplicated + reordered, 0);
    const compared = (key, reference) => ({ reference, ratio: median(measured, key) / reference });
    rows.push(row(question, 'bulk acknowledged', median(measured, 'perSecond') / MB, 'MB/s'));
    rows.push(row(question, 'p50', median(measured, 'p50'), 'ms', compared('p50', median(calm, 'p50'))));
    const p99 = compared('p99', median(calm, 'p99'));
    rows.push(row(question, 'p99', median(measured, 'p99'), 'ms', { ...p99, target: `≤ ${GOAL} × calm`, met: p99.ratio <= GOAL }));
    rows.push(row(question, `p99; reference: ${(median(floor, 'perSecond') / MB).toFixed(1)} MB/s past Rivulet`, median(measured, 'p99'), 'ms', compared('p99', median(floor, 'p99'))));
    rows.push(row(question, 'lost, duplicated or reordered', wrong, '', { target: '0', met: wrong === 0 }));
  }
  return rows;
}
