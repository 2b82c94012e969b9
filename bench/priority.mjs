// Does a flood of bulk move interactive? 50 interactive streams × 30/s, HTTP in and SSE out, calm and under a flood of bulk from another
// process: at full speed (4 NDJSON producers that never wait, and one at 20 MB/s), and limited to a share of that, which leaves CPU.
// On a machine with few cores everything shares them, the flood's own process included: the second row is about our queues, the first
// about the machine.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { measureService } from './latency.mjs';
import { row } from './report.mjs';
import { elapse } from './streams.mjs';

const FLOOD = fileURLToPath(new URL('./flood.mjs', import.meta.url));
const MB = 1_000_000;
/** What a limited flood sends of what the machine took at full speed. */
const SHARE = 0.2;
const GOAL = 2;

async function bytesOf(flood) {
  const answer = once(flood, 'message');
  flood.send({ kind: 'report' });
  return (await answer)[0].bytes;
}

/** Measures interactive while a flood runs. @returns its quantiles, and what of the flood was acknowledged, bytes per second */
async function underFlood(system, seconds, orders) {
  const flood = fork(FLOOD, [JSON.stringify(orders.map((order) => ({ url: system.urls.ingest, apiKey: system.apiKey, ...order })))]);
  const failed = once(flood, 'exit').then(([code]) => { throw new Error(`the flood ended with code ${code}`); });
  failed.catch(() => undefined);
  try {
    await Promise.race([once(flood, 'message'), failed]);
    await elapse(1000); // queues fill
    const before = await bytesOf(flood); const startedAt = performance.now();
    const measured = await Promise.race([measureService(system, seconds), failed]);
    const perSecond = (await bytesOf(flood) - before) / ((performance.now() - startedAt) / 1000);
    return { ...measured, perSecond };
  } finally {
    flood.kill('SIGKILL');
  }
}

export async function priority({ system, isQuick }) {
  const seconds = isQuick ? 5 : 15;
  await measureService(system, seconds); // warms the JVM
  const before = await measureService(system, seconds);
  console.log(`bench: priority: calm p99 ${before.p99.toFixed(1)} ms`);
  const full = await underFlood(system, seconds, [
    { producers: 4, lineBytes: 1000, bytesPerSecond: 0 }, { producers: 1, lineBytes: 60_000, bytesPerSecond: 20 * MB },
  ]);
  console.log(`bench: priority: under ${(full.perSecond / MB).toFixed(1)} MB/s p99 ${full.p99.toFixed(1)} ms`);
  await elapse(3000);
  const bytesPerSecond = Math.round((full.perSecond * SHARE) / 5);
  const limited = await underFlood(system, seconds, [{ producers: 5, lineBytes: 4000, bytesPerSecond }]);
  await elapse(3000);
  const after = await measureService(system, seconds);
  const calm = { p50: (before.p50 + after.p50) / 2, p99: (before.p99 + after.p99) / 2 };
  const rows = [];
  for (const [name, measured] of [['full speed', full], [`${SHARE * 100} % of that`, limited]]) {
    const question = `interactive under a bulk flood at ${name}`;
    const wrong = measured.lost + measured.duplicated + measured.reordered;
    rows.push(row(question, 'bulk acknowledged', measured.perSecond / MB, 'MB/s'));
    rows.push(row(question, 'p50', measured.p50, 'ms', { reference: calm.p50, ratio: measured.p50 / calm.p50 }));
    const ratio = measured.p99 / calm.p99;
    rows.push(row(question, 'p99', measured.p99, 'ms', { reference: calm.p99, ratio, target: `≤ ${GOAL} × calm`, met: ratio <= GOAL }));
    rows.push(row(question, 'lost, duplicated or reordered', wrong, '', { target: '0', met: wrong === 0 }));
  }
  return rows;
}
