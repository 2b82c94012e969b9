// The floor under a bulk flood: the same bytes written to a topic of its own and read back by bare kafkajs, in a process of its own. What
// this moves interactive by is the machine's doing: broker, disk and cores, none of them ours.
// fork(…, [JSON of [{brokers, producers, lineBytes, bytesPerSecond}]]); says and answers what flood.mjs does.
import { bareKafkajs } from './bare-kafkajs.mjs';
import { reportFlood } from './flood-report.mjs';

const orders = JSON.parse(process.argv[2]);
const TICK_MS = 10;
const WINDOW_BYTES = 1_048_576; // as an NDJSON connection of Rivulet
let acknowledgedBytes = 0;

async function produce(bare, partition, { lineBytes, bytesPerSecond }) {
  const value = Buffer.alloc(lineBytes, 'x'); const key = Buffer.from(`stream-${partition}`);
  const startedAt = performance.now();
  let sentBytes = 0; let inFlightBytes = 0;
  const acknowledged = () => { inFlightBytes -= lineBytes; acknowledgedBytes += lineBytes; };
  for (;;) {
    const due = ((performance.now() - startedAt) / 1000) * bytesPerSecond;
    while (sentBytes < due && inFlightBytes < WINDOW_BYTES) {
      sentBytes += lineBytes;
      inFlightBytes += lineBytes;
      void bare.append(partition, key, value).then(acknowledged);
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
}

const lanes = orders.flatMap((order) => new Array(order.producers).fill(order));
const topic = `bench.flood.${process.pid}.${Date.now()}`;
const bare = await bareKafkajs(orders[0].brokers, { topic, partitions: lanes.length, onValue: () => undefined });
lanes.forEach((lane, partition) => void produce(bare, partition, lane));
reportFlood(() => acknowledgedBytes);
