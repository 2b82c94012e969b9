import { StreamError } from '@rivulet/protocol';
import { withDeadline } from './deadline';
import type { KafkaClient } from './kafka-client';
import type { KafkaBroker, KafkaCluster } from './kafka-internals';

const BACKOFF_MS = 50;
const BACKOFF_MS_MAX = 1000;
const DISCONNECT_MS_MAX = 2000;

/** Errors a refreshed view of the cluster can mend; anything else is retried too, for a bounded time, but these are expected. */
export class StaleMetadata extends Error {}

/** Who leads which partition, kept current: the part of a client that tails and point reads need. */
export class KafkaClusterView {
  private readonly cluster: KafkaCluster;
  private readonly topics = new Set<string>();

  constructor(readonly client: KafkaClient) {
    this.cluster = client.openCluster();
  }

  /** @throws when the topic does not exist or nothing answers */
  async addTopic(topic: string): Promise<void> {
    if (this.topics.has(topic)) return;
    await this.cluster.connect();
    await this.cluster.addTargetTopic(topic);
    this.topics.add(topic);
  }

  partitions(topic: string): number {
    return this.cluster.findTopicPartitionMetadata(topic).length;
  }

  /** @returns node id of the leader; null when unknown or between two leaders */
  leader(topic: string, partition: number): number | null {
    const found = this.cluster.findTopicPartitionMetadata(topic).find((metadata) => metadata.partitionId === partition);
    return found && found.leader >= 0 ? found.leader : null;
  }

  broker(nodeId: number): Promise<KafkaBroker> {
    return this.cluster.findBroker({ nodeId: String(nodeId) });
  }

  async refresh(): Promise<void> {
    await this.cluster.connect();
    await this.cluster.refreshMetadata();
  }

  /** The leader of a partition, connected. */
  async leaderOf(topic: string, partition: number): Promise<KafkaBroker> {
    await this.addTopic(topic);
    const nodeId = this.leader(topic, partition);
    if (nodeId === null) throw new StaleMetadata(`${topic} ${partition} has no leader now`);
    return this.broker(nodeId);
  }

  /**
   * Tries until it works or the deadline passes, with a fresh view of the cluster in between. A StreamError is an answer, not trouble.
   * @throws StreamError LOG_UNAVAILABLE after deadlineMs
   */
  async untilAnswered<T>(deadlineMs: number, attempt: () => Promise<T>): Promise<T> {
    const deadlineAt = performance.now() + deadlineMs;
    for (let failures = 0; ; failures += 1) {
      let cause: unknown;
      try {
        return await withDeadline(attempt(), Math.max(1, deadlineAt - performance.now()), `A request of ${this.client.name}`);
      } catch (error) {
        if (error instanceof StreamError) throw error;
        cause = error;
      }
      const pauseMs = Math.min(BACKOFF_MS * 2 ** failures, BACKOFF_MS_MAX);
      if (performance.now() + pauseMs >= deadlineAt) throw new StreamError('LOG_UNAVAILABLE', { retryAfterMs: 1000 }, { cause });
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      // Its own failure shows in the next attempt.
      await withDeadline(this.refresh(), Math.max(1, deadlineAt - performance.now()), 'Metadata').catch(() => undefined);
    }
  }

  /** Bounded: kafkajs waits for pending requests, also those a hanging broker will never answer (kafkajs #918). */
  async close(): Promise<void> {
    await withDeadline(this.cluster.disconnect(), DISCONNECT_MS_MAX, 'Disconnecting').catch(() => undefined);
    this.client.close();
  }
}
