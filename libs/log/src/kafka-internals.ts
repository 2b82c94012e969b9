/**
 * The parts of kafkajs that its public API does not reach. kafkajs has been frozen since 2023, so these paths and shapes are stable;
 * the version is pinned exactly, and every use is covered by a test against a real broker.
 */
import type { CompressionTypes } from 'kafkajs';

/** kafkajs/src/cluster: only what makes brokers; its view of the cluster is not used. */
export interface KafkaCluster {
  rootLogger: unknown;
  connectionPoolBuilder: { build(destination: { host: string; port: number }): Promise<unknown> };
  brokerPool: { createBroker(of: { logger: unknown; connectionPool: unknown; nodeId: number | null }): KafkaBroker };
}

/** kafkajs/src/broker */
export interface KafkaBroker {
  versions: Record<number, { minVersion: number; maxVersion: number }> | null;
  connectionPool: { send(protocolRequest: ProtocolRequest): Promise<unknown> };
  isConnected(): boolean;
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  findGroupCoordinator(request: { groupId: string; coordinatorType: number }): Promise<{ coordinator: { nodeId: number } }>;
  joinGroup(request: {
    groupId: string;
    memberId: string;
    sessionTimeout: number;
    rebalanceTimeout: number;
    groupProtocols: { name: string; metadata: Buffer }[];
  }): Promise<{ generationId: number; leaderId: string; memberId: string; members: { memberId: string; memberMetadata: Buffer }[] }>;
  syncGroup(request: {
    groupId: string;
    generationId: number;
    memberId: string;
    groupAssignment: { memberId: string; memberAssignment: Buffer }[];
  }): Promise<{ memberAssignment: Buffer }>;
  heartbeat(request: { groupId: string; memberId: string; groupGenerationId: number }): Promise<unknown>;
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>;
}

export interface ProtocolRequest {
  request: unknown;
  response: { decode(raw: Buffer): Promise<unknown>; parse(decoded: unknown): Promise<unknown> };
  requestTimeout?: number;
  logResponseError?: boolean;
}

interface FetchArguments {
  isolationLevel: number;
  maxWaitTime: number;
  minBytes: number;
  maxBytes: number;
  topics: { topic: string; partitions: { partition: number; currentLeaderEpoch: number; fetchOffset: string; maxBytes: number }[] }[];
  /** KIP-227; left out: a fetch without a session. */
  sessionId?: number;
  sessionEpoch?: number;
  forgottenTopics?: { topic: string; partitions: number[] }[];
}

export interface ProduceAnswer {
  topics: { topicName: string; partitions: { partition: number; errorCode: number; baseOffset: string }[] }[];
}

interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  scheduleCheckPendingRequests(): void;
}

interface Codec { compress(encoder: { buffer: Buffer }): Promise<Buffer>; decompress(buffer: Buffer): Promise<Buffer> }

export const RequestQueueClass = require('kafkajs/src/network/requestQueue') as { prototype: RequestQueue };

type Versions<T> = { protocol(of: { version: number }): (request: T) => ProtocolRequest };
const versionsOf = <T>(request: string): Versions<T> => require(`kafkajs/src/protocol/requests/${request}`) as Versions<T>;

// One version each, understood by every broker from Kafka 2.1 to 4.x, means one layout to build and to decode.
/** Not 11: from there on a follower answers us as well, with an end of its own that may lie before what was acknowledged [KAFKA-26]. */
export const FETCH_VERSION = 10;
export const FETCH_API_KEY = 1;
export const buildFetch = versionsOf<FetchArguments>('fetch').protocol({ version: FETCH_VERSION });
export const PRODUCE_VERSION = 7;
export const produceResponse = require(`kafkajs/src/protocol/requests/produce/v${PRODUCE_VERSION}/response`) as ProtocolRequest['response'];
export const buildMetadata6 = versionsOf<{ topics: string[]; allowAutoTopicCreation: boolean }>('metadata').protocol({ version: 6 });

/** Leaves errors to the caller: kafkajs's own parsers throw the first one they meet, and with it everything else the answer says. */
export const unparsed = ({ request, response }: ProtocolRequest): ProtocolRequest => ({
  request, response: { decode: response.decode, parse: async (decoded) => decoded }, logResponseError: false,
});

export const { createErrorFromCode } = require('kafkajs/src/protocol/error') as {
  createErrorFromCode(code: number): Error & { type: string };
};

export const { lookupCodecByAttributes, Codecs } = require('kafkajs/src/protocol/message/compression') as {
  lookupCodecByAttributes(attributes: number): Codec | null;
  Codecs: Record<CompressionTypes, () => Codec>;
};

export interface KafkaEncoder {
  writeInt8(value: number): KafkaEncoder;
  writeInt16(value: number): KafkaEncoder;
  writeInt32(value: number): KafkaEncoder;
  writeInt64(value: number): KafkaEncoder;
  writeString(value: string | null): KafkaEncoder;
  /** With its length before it. */
  writeBytes(value: Buffer): KafkaEncoder;
}
export const Encoder = require('kafkajs/src/protocol/encoder') as new (sizeBytes?: number) => KafkaEncoder;
export interface KafkaDecoder {
  readInt16(): number;
  readInt32(): number;
  readInt64(): bigint;
  readBoolean(): boolean;
  readString(): string;
  readArray<T>(read: (decoder: KafkaDecoder) => T): T[];
}
export const Decoder = require('kafkajs/src/protocol/decoder') as new (raw: Buffer) => KafkaDecoder;

export interface DecodedAssignment { version: number; assignment: Record<string, number[]>; userData: Buffer }
export const { MemberAssignment, MemberMetadata } = require('kafkajs/src/consumer/assignerProtocol') as {
  MemberAssignment: {
    encode(of: { version: number; assignment: Record<string, number[]>; userData: Buffer }): Buffer;
    decode(buffer: Buffer): DecodedAssignment | null;
  };
  MemberMetadata: {
    encode(of: { version: number; topics: string[]; userData: Buffer }): Buffer;
    decode(buffer: Buffer): { version: number; topics: string[]; userData: Buffer };
  };
};

let isPatched = false;

/**
 * kafkajs re-arms a timer of 0–10 ms on every connection from its first response on, also when nothing is pending: about 5 % of a core
 * per process, for nothing (kafkajs #1556, #1604, #1704, #1751). With nothing pending and no throttling there is nothing to check.
 */
export function patchRequestQueue(): void {
  if (isPatched) return;
  isPatched = true;
  const original = RequestQueueClass.prototype.scheduleCheckPendingRequests;
  RequestQueueClass.prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.pending.length === 0 && this.throttledUntil <= Date.now()) return;
    original.call(this);
  };
}
