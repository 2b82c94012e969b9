import { plain } from './log-suite';
import { acknowledgedOffsets } from './kafka-producer';
import { PartitionBatcher } from './partition-batcher';

const createSendMessages = require('kafkajs/src/producer/sendMessages');
const createRetry = require('kafkajs/src/retry');
const { createErrorFromCode } = require('kafkajs/src/protocol/error');
const NOT_LEADER = 6;

interface TopicData { topic: string; partitions: { partition: number; messages: { value: Buffer }[] }[] }

/** Two brokers that keep what they are sent. Partition 1 moves from the second to the first while a send is under way. */
function clusterWhoseLeaderMoves() {
  const leaders = [1, 2];
  const kept: string[][] = [[], []];
  const broker = (nodeId: number) => ({
    nodeId,
    produce: async ({ topicData }: { topicData: TopicData[] }) => {
      // The second answers late, when the first has long done so.
      for (let turns = 0; turns < 5 * nodeId; turns += 1) await new Promise((resolve) => setImmediate(resolve));
      for (const { partitions } of topicData) {
        if (partitions.some(({ partition }) => partition === 1) && nodeId === 2) {
          leaders[1] = 1;
          throw createErrorFromCode(NOT_LEADER);
        }
      }
      return {
        topics: topicData.map(({ topic, partitions }) => ({
          topicName: topic,
          partitions: partitions.map(({ partition, messages }) => {
            const baseOffset = String(kept[partition]!.length);
            kept[partition]!.push(...messages.map(({ value }) => String(value)));
            return { partition, errorCode: 0, baseOffset };
          }),
        })),
      };
    },
  });
  const brokers = [broker(1), broker(2)];
  const cluster = {
    targetTopics: new Set(),
    isConnected: () => true,
    addMultipleTargetTopics: async () => undefined,
    refreshMetadata: async () => undefined,
    refreshMetadataIfNecessary: async () => undefined,
    findTopicPartitionMetadata: () => leaders.map((leader, partitionId) => ({ partitionId, leader })),
    findLeaderForPartitions: (_topic: string, partitions: string[]) => {
      const found: Record<number, number[]> = {};
      for (const partition of partitions.map(Number)) (found[leaders[partition]!] ??= []).push(partition);
      return found;
    },
    findBroker: async ({ nodeId }: { nodeId: string }) => brokers[Number(nodeId) - 1],
  };
  const silent = { debug: () => undefined, error: () => undefined };
  const eosManager = {
    acquireBrokerLock: async () => undefined,
    releaseBrokerLock: async () => undefined,
    isTransactional: () => false,
    getSequence: () => 0,
    updateSequence: () => undefined,
    getProducerId: () => -1,
    getProducerEpoch: () => 0,
  };
  const partitioner = ({ message }: { message: { partition: number } }) => message.partition;
  const retrier = createRetry({ initialRetryTime: 1, maxRetryTime: 1, retries: 5, factor: 0, multiplier: 1 });
  const sendMessages = createSendMessages({ logger: silent, cluster, partitioner, eosManager, retrier });
  return { sendMessages, kept };
}

test('[KAFKA-3] a send whose leader moved midway resolves in kafkajs without being sent: it is found out, and sent again', async () => {
  const { sendMessages, kept } = clusterWhoseLeaderMoves();
  const answers: number[][] = [];
  const batcher = new PartitionBatcher<string>({
    ...plain('t'),
    backoffMs: 1,
    send: async (batches) => {
      const messages = [...batches].flatMap(([partition, records]) => records.map(({ value }) => ({ partition, value })));
      const answer = await sendMessages({ acks: -1, topicMessages: [{ topic: 't', messages }] });
      const acknowledged = acknowledgedOffsets(answer, batches);
      answers.push([...acknowledged.keys()]);
      return acknowledged;
    },
  });
  await expect(Promise.all([batcher.append(0, 'a', 1), batcher.append(1, 'b', 1)])).resolves.toEqual([{ offset: 0 }, { offset: 0 }]);
  expect(answers).toEqual([[0], [1]]); // the first answer lacked partition 1, although the send resolved
  expect(kept).toEqual([['a'], ['b']]);
  await batcher.close();
});

test('[KAFKA-3] only errorCode 0 with a base offset, for a partition that was sent, is an acknowledgement', () => {
  const sent = new Map([0, 1, 2, 3, 4].map((partition) => [partition, []]));
  const answer = [
    { topicName: 't', partition: 0, errorCode: 0, baseOffset: '17' },
    { topicName: 't', partition: 1, errorCode: 19, baseOffset: '5' },
    { topicName: 't', partition: 2, errorCode: 0, baseOffset: '-1' },
    { topicName: 't', partition: 3, errorCode: 0 },
    { topicName: 't', partition: 9, errorCode: 0, baseOffset: '1' },
  ];
  expect(acknowledgedOffsets(answer, sent)).toEqual(new Map([[0, 17]]));
});
