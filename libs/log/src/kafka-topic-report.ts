import { ConfigResourceTypes } from 'kafkajs';
import type { Admin } from 'kafkajs';
import { StreamError } from '@rivulet/protocol';
import { withDeadline } from './deadline';
import { KafkaClient } from './kafka-client';
import type { KafkaClientOptions } from './kafka-client';

/** A topic as it is in Kafka. */
export interface TopicReport {
  topic: string;
  isThere: boolean;
  partitions: number;
  /** Least number of replicas of a partition, and of those that are in sync now. */
  replicas: number;
  inSync: number;
  /** Partitions without a leader now: they can neither be written nor read. */
  leaderless: number[];
  settings: Readonly<Record<string, string>>;
}
export interface ClusterReport { brokers: number; topics: TopicReport[] }

const REPORT_MS_MAX = 15_000;
const UNKNOWN_TOPIC = 'UNKNOWN_TOPIC_OR_PARTITION';

/**
 * What a cluster has of some topics, for those who look for faults: createTopics, which processes run, only logs what differs.
 * @throws StreamError LOG_UNAVAILABLE
 */
export async function reportTopics(options: KafkaClientOptions, topics: readonly string[]): Promise<ClusterReport> {
  const client = new KafkaClient(options, 'report');
  const admin = client.kafka.admin();
  try {
    return await withDeadline(reportOf(admin, topics), REPORT_MS_MAX, 'Kafka');
  } catch (cause) {
    const detail = `Kafka at ${options.brokers.join(', ')}: ${cause instanceof Error ? cause.message : String(cause)}.`;
    throw new StreamError('LOG_UNAVAILABLE', { detail, retryAfterMs: 1000 }, { cause });
  } finally {
    await withDeadline(admin.disconnect(), 1000, 'Disconnecting').catch(() => undefined);
    client.close();
  }
}

async function reportOf(admin: Admin, topics: readonly string[]): Promise<ClusterReport> {
  await admin.connect();
  const { brokers } = await admin.describeCluster();
  const reports: TopicReport[] = [];
  // One by one: kafkajs rejects an answer in which any topic has an error.
  for (const topic of topics) reports.push(await reportOn(admin, topic));
  return { brokers: brokers.length, topics: reports };
}

async function reportOn(admin: Admin, topic: string): Promise<TopicReport> {
  const absent: TopicReport = { topic, isThere: false, partitions: 0, replicas: 0, inSync: 0, leaderless: [], settings: {} };
  const partitions = await admin.fetchTopicMetadata({ topics: [topic] }).then(
    (metadata) => metadata.topics[0]?.partitions ?? [],
    (error: { type?: string }) => {
      if (error.type === UNKNOWN_TOPIC) return null;
      throw error;
    },
  );
  if (partitions === null) return absent;
  const asked = [{ type: ConfigResourceTypes.TOPIC, name: topic }];
  const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: asked });
  return {
    topic,
    isThere: true,
    partitions: partitions.length,
    replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
    inSync: Math.min(...partitions.map(({ isr }) => isr.length)),
    leaderless: partitions.filter(({ leader }) => leader < 0).map(({ partitionId }) => partitionId),
    settings: Object.fromEntries((resources[0]?.configEntries ?? []).map(({ configName, configValue }) => [configName, configValue])),
  };
}
