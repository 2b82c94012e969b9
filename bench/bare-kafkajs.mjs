// The reference: bare kafkajs in one process, no service. One batcher (one send outstanding per partition, acks=all), one fetch loop.
// It guarantees nothing but the path; what Rivulet costs on top of it is the ratio this bench prints.
import { createRequire } from 'node:module';
import kafkajs from 'kafkajs';

const { Kafka, logLevel } = kafkajs;
const require = createRequire(import.meta.url);
const RequestQueue = require('kafkajs/src/network/requestQueue');
const scheduleCheckPendingRequests = RequestQueue.prototype.scheduleCheckPendingRequests;
// kafkajs #1556: without this each connection spins a 1 ms timer; the reference gets the same cure as the product.
RequestQueue.prototype.scheduleCheckPendingRequests = function patched() {
  if (this.pending.length === 0 && this.throttledUntil <= Date.now()) return;
  scheduleCheckPendingRequests.call(this);
};

const WARM = Buffer.from('warm');

export async function bareKafkajs(brokers, { topic, partitions, onValue }) {
  const kafka = new Kafka({ clientId: 'bare', brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }], waitForLeaders: true });
  const producer = kafka.producer({ allowAutoTopicCreation: false, idempotent: false, maxInFlightRequests: 2 });
  await producer.connect();
  // A topic that was just made answers NOT_LEADER for a moment, although its creation waited for leaders; kafkajs retries inside.
  const warm = Array.from({ length: partitions }, (_, partition) => ({ partition, value: WARM }));
  await producer.sendBatch({ acks: -1, topicMessages: [{ topic, messages: warm }] });

  let cluster;
  const reader = kafka.consumer({
    groupId: `${topic}.bare`,
    partitionAssigners: [({ cluster: captured }) => { cluster = captured; return { name: 'none', version: 0, protocol: () => ({ name: 'none', metadata: Buffer.alloc(0) }), assign: async () => [] }; }],
  });
  await reader.connect();
  await cluster.addTargetTopic(topic);
  let isClosed = false;
  const next = new Array(partitions).fill(0);
  const loop = (async () => {
    const all = Array.from({ length: partitions }, (_, partition) => partition);
    let broker;
    while (!isClosed) {
      if (!broker) {
        await cluster.refreshMetadata();
        const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, all));
        broker = await cluster.findBroker({ nodeId });
      }
      const answer = await broker.fetch({
        maxWaitTime: 250, minBytes: 1, maxBytes: 8 << 20, isolationLevel: 1,
        topics: [{ topic, partitions: all.map((partition) => ({ partition, fetchOffset: String(next[partition]), maxBytes: 1 << 20 })) }],
      }).catch((error) => { if (!error.retriable) throw error; broker = undefined; });
      if (!answer) { await new Promise((resolve) => setTimeout(resolve, 50)); continue; }
      for (const { partition, messages } of answer.responses[0]?.partitions ?? []) {
        for (const message of messages) {
          if (Number(message.offset) < next[partition]) continue;
          next[partition] = Number(message.offset) + 1;
          if (!message.value.equals(WARM)) onValue(message.value, message.key);
        }
      }
    }
  })();
  loop.catch((error) => { if (!isClosed) throw error; });

  const queues = Array.from({ length: partitions }, () => []);
  const busy = new Array(partitions).fill(false);
  let isScheduled = false;
  const flush = () => {
    isScheduled = false;
    const topicMessages = [];
    for (let partition = 0; partition < partitions; partition++) {
      if (busy[partition] || queues[partition].length === 0) continue;
      busy[partition] = true;
      topicMessages.push({ partition, entries: queues[partition].splice(0, 500) });
    }
    if (topicMessages.length === 0) return;
    producer.sendBatch({
      acks: -1,
      topicMessages: topicMessages.map(({ partition, entries }) => (
        { topic, messages: entries.map(({ key, value }) => ({ partition, key, value })) })),
    }).then(() => {
      for (const { partition, entries } of topicMessages) {
        busy[partition] = false;
        for (const entry of entries) entry.resolve();
      }
      if (!isScheduled) { isScheduled = true; setImmediate(flush); }
    }, (error) => { for (const { entries } of topicMessages) for (const entry of entries) entry.reject(error); });
  };
  return {
    append(partition, key, value) {
      return new Promise((resolve, reject) => {
        queues[partition].push({ key, value, resolve, reject });
        if (!isScheduled) { isScheduled = true; setImmediate(flush); }
      });
    },
    async close() {
      isClosed = true;
      await Promise.race([loop.catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 1000))]);
      await Promise.allSettled([producer.disconnect(), reader.disconnect(), admin.disconnect()]);
    },
  };
}
