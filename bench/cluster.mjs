// What benches of several fanout instances ask: who owns a partition, what a process has used, what its metrics say.
import protocol from '@rivulet/protocol';

export const partitionOf = (streamNo) => protocol.parseStreamNo(streamNo).partition;

/** @returns {Promise<Map<number, string>>} partition → URL of the fanout that owns it */
export async function ownersOf(system) {
  const answer = await fetch(`${system.urls.allocator}/v1/admin/partitions`, { headers: { authorization: `Bearer ${system.apiKey}` } });
  return new Map((await answer.json()).map(({ partition, owner }) => [partition, owner?.address]));
}

/** @returns {Promise<number>} a metric of an instance, summed over its labels */
export async function metricOf(url, name) {
  const text = await (await fetch(`${url}/metrics`)).text();
  return [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? ([\\d.e+-]+)$`, 'gm'))].reduce((sum, [, value]) => sum + Number(value), 0);
}

export const cpuSecondsOf = (url) => metricOf(url, 'process_cpu_seconds_total');
