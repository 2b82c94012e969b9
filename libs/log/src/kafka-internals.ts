/**
 * The parts of kafkajs that its public API does not reach. kafkajs has been frozen since 2023, so these paths and shapes are stable;
 * the version is pinned exactly, and every use is covered by a test against a real broker.
 */
import type { CompressionTypes } from 'kafkajs';

export interface PartitionMetadata { partitionId: number; leader: number; partitionErrorCode: number }

/** kafkajs/src/cluster */
export interface KafkaCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  findTopicPartitionMetadata(topic: string): PartitionMetadata[];
  findBroker(node: { nodeId: string }): Promise<KafkaBroker>;
}

/** kafkajs/src/broker */
export interface KafkaBroker {
  versions: Record<number, { minVersion: number; maxVersion: number }>;
  connectionPool: { send(protocolRequest: ProtocolRequest): Promise<unknown> };
  listOffsets(request: {
    isolationLevel: number;
    topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[];
  }): Promise<{ responses: { topic: string; partitions: { partition: number; errorCode: number; offset: string }[] }[] }>;
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
  topics: { topic: string; partitions: { partition: number; fetchOffset: string; maxBytes: number }[] }[];
  rackId: string;
  /** KIP-227; left out: a fetch without a session. */
  sessionId?: number;
  sessionEpoch?: number;
  forgottenTopics?: { topic: string; partitions: number[] }[];
}

interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  scheduleCheckPendingRequests(): void;
}

interface Codec { compress(encoder: { buffer: Buffer }): Promise<Buffer>; decompress(buffer: Buffer): Promise<Buffer> }

export const RequestQueueClass = require('kafkajs/src/network/requestQueue') as { prototype: RequestQueue };

const fetchVersions = require('kafkajs/src/protocol/requests/fetch') as {
  protocol(of: { version: number }): (fetch: FetchArguments) => ProtocolRequest;
};
/** Version 11 is understood by every broker since Kafka 2.3; one version means one response layout to decode. */
export const FETCH_VERSION = 11;
export const FETCH_API_KEY = 1;
export const buildFetch = fetchVersions.protocol({ version: FETCH_VERSION });

export const { lookupCodecByAttributes, Codecs } = require('kafkajs/src/protocol/message/compression') as {
  lookupCodecByAttributes(attributes: number): Codec | null;
  Codecs: Record<CompressionTypes, () => Codec>;
};

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
