import { buildMetadata6, createErrorFromCode, Decoder, Encoder, unparsed } from './kafka-internals';
import type { KafkaBroker, KafkaDecoder, ProtocolRequest } from './kafka-internals';
import type { PartitionLeader } from './kafka-leaders';

/** We write no transactions. Reading only committed records would let somebody else's hanging transaction stop the partition. */
export const READ_UNCOMMITTED = 0;
export const EARLIEST = -2;
export const LATEST = -1;

export interface ClusterMetadata {
  brokers: { nodeId: number; host: string; port: number }[];
  clusterId: string;
  topics: { errorCode: number; topic: string; leaders: PartitionLeader[] }[];
}

/** Metadata 7 and ListOffsets 4 (Kafka 2.1): the first versions with leader epochs, and one more than kafkajs speaks [KAFKA-27]. */
const METADATA_VERSION = 7;
const LIST_OFFSETS = { apiKey: 2, apiVersion: 4, apiName: 'ListOffsets' };
const CONSUMER = -1;

/** @param topics none: all of the cluster */
export async function metadataOf(broker: KafkaBroker, topics: string[]): Promise<ClusterMetadata> {
  const { request } = buildMetadata6({ topics, allowAutoTopicCreation: false });
  return (await broker.connectionPool.send(unparsed({
    request: { ...(request as object), apiVersion: METADATA_VERSION }, // asked as in version 6
    response: { decode: async (raw) => decodeMetadata(new Decoder(raw)), parse: async (decoded) => decoded },
  }))) as ClusterMetadata;
}

/** @param timestamp EARLIEST or LATEST @throws what Kafka says, also that this broker is not the leader of that epoch */
export async function offsetOf(
  broker: KafkaBroker, { topic, partition, leaderEpoch }: { topic: string; partition: number; leaderEpoch: number }, timestamp: number,
): Promise<number> {
  const request: ProtocolRequest = {
    request: {
      ...LIST_OFFSETS,
      encode: async () => new Encoder().writeInt32(CONSUMER).writeInt8(READ_UNCOMMITTED)
        .writeInt32(1).writeString(topic)
        .writeInt32(1).writeInt32(partition).writeInt32(leaderEpoch).writeInt64(timestamp),
    },
    response: { decode: async (raw) => decodeOffset(new Decoder(raw)), parse: async (decoded) => decoded },
  };
  const { errorCode, offset } = (await broker.connectionPool.send(unparsed(request))) as ReturnType<typeof decodeOffset>;
  if (errorCode !== 0) throw createErrorFromCode(errorCode);
  return offset;
}

function decodeMetadata(decoder: KafkaDecoder): ClusterMetadata & { clientSideThrottleTime: number } {
  const clientSideThrottleTime = decoder.readInt32();
  const brokers = decoder.readArray((d) => {
    const broker = { nodeId: d.readInt32(), host: d.readString(), port: d.readInt32() };
    d.readString(); // rack
    return broker;
  });
  const clusterId = decoder.readString();
  decoder.readInt32(); // controller
  const topics = decoder.readArray((d) => {
    const [errorCode, topic] = [d.readInt16(), d.readString()];
    d.readBoolean(); // is internal
    const leaders: PartitionLeader[] = [];
    d.readArray((p) => {
      p.readInt16(); // whether it has a leader, which the leader says too
      const [partition, nodeId, epoch] = [p.readInt32(), p.readInt32(), p.readInt32()];
      for (let lists = 3; lists > 0; lists -= 1) p.readArray((node) => node.readInt32()); // replicas, in sync, offline
      leaders[partition] = { nodeId, epoch };
    });
    return { errorCode, topic, leaders };
  });
  return { clientSideThrottleTime, brokers, clusterId, topics };
}

/** Of the one partition that was asked for. */
function decodeOffset(decoder: KafkaDecoder): { clientSideThrottleTime: number; errorCode: number; offset: number } {
  const clientSideThrottleTime = decoder.readInt32();
  decoder.readInt32(); // topics
  decoder.readString();
  decoder.readInt32(); // partitions
  decoder.readInt32();
  const errorCode = decoder.readInt16();
  decoder.readInt64(); // timestamp
  return { clientSideThrottleTime, errorCode, offset: Number(decoder.readInt64()) };
}
