// What benches of several fanout instances ask: who owns a partition, what a process has used, what its metrics say.
import log from '@rivulet/log';
import protocol from '@rivulet/protocol';

const { openKafkaLog } = log;
const { OWNER_KEY, decodeOwner, parseStreamNo, topicNames } = protocol;

export const partitionOf = (streamNo) => parseStreamNo(streamNo).partition;

/** @returns {Promise<Map<number, string>>} partition → URL of the fanout that claimed it last */
export async function ownersOf(system) {
  const kafka = await openKafkaLog({ brokers: [system.brokers], clientId: 'bench-owners' });
  const topic = topicNames(system.topicPrefix).lifecycle;
  const owners = new Map();
  try {
    const count = await kafka.partitions(topic);
    await Promise.all(Array.from({ length: count }, async (_, partition) => {
      const { start, end } = await kafka.bounds(topic, partition);
      for (let from = start; from < end;) {
        const batch = await kafka.scan(topic, partition, from);
        for (const { key, value } of batch.records) if (key === OWNER_KEY && value) owners.set(partition, decodeOwner(value).address);
        from = batch.nextOffset;
      }
    }));
  } finally {
    await kafka.close();
  }
  return owners;
}

/** @returns {Promise<number>} a metric of an instance; histograms by `name_sum` and `name_count` */
export async function metricOf(url, name) {
  const text = await (await fetch(`${url}/metrics`)).text();
  return [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? ([\\d.e+-]+)$`, 'gm'))].reduce((sum, [, value]) => sum + Number(value), 0);
}

export const cpuSecondsOf = (url) => metricOf(url, 'process_cpu_seconds_total');
