import { KafkaJSAggregateError } from 'kafkajs';
import type { Admin } from 'kafkajs';
import { StreamError } from '@rivulet/protocol';
import { BulkTurns } from './bulk-turns';
import { withDeadline } from './deadline';
import { KafkaClient } from './kafka-client';
import type { KafkaClientOptions } from './kafka-client';
import { KafkaClusterView } from './kafka-cluster-view';
import { KafkaLeaders } from './kafka-leaders';
import { KafkaMembership } from './kafka-membership';
import { KafkaPointReads } from './kafka-point-reads';
import { KafkaProducer } from './kafka-producer';
import type { Compression } from './kafka-producer';
import { BULK_BOUNDS, INTERACTIVE_BOUNDS, KafkaTails } from './kafka-tails';
import type { TailBounds } from './kafka-tails';
import { createTopics } from './kafka-topics';
import type {
  Appender, AppenderOptions, Bounds, JoinOptions, Log, LogBatch, Membership, ProducerClass, ScanOptions, Tail, TailHandlers, TopicSpec,
} from './log';
import { PartitionBatcher } from './partition-batcher';

export interface KafkaLogOptions extends KafkaClientOptions {
  /** Of what is written; everything is read. Default none: it costs latency (lz4: 0.9 ms per 120 kB) and saves only network and disk. */
  compression?: Compression;
  /** Partitions from this number on are of class bulk: they are read by connections of their own. Left out: none are. */
  partitionsInteractive?: number;
  /** Bound of one read or check, ms. */
  readDeadlineMs?: number;
}

const READ_DEADLINE_MS = 10_000;
/** A request is encoded in one go, about 3 ms a megabyte, while nothing else moves: bulk takes the loop in small pieces [KAFKA-25]. */
const BULK_REQUEST_BYTES_MAX = 512 * 1024;
const CHECK_MS_MAX = 3000;
const ADMIN_MS_MAX = 60_000;
const ADMIN_CONNECT_MS_MAX = 3000;
const ADMIN_RETRY_MS = 200;

/** Opens nothing yet: each part connects when it is first used, so a process can start while Kafka is away and say so by readiness. */
export async function openKafkaLog(options: KafkaLogOptions): Promise<Log> {
  return new KafkaLog(options);
}

class KafkaLog implements Log {
  readonly kind = 'kafka';
  private readonly leaders = new KafkaLeaders();
  private readonly producers = new Map<ProducerClass, KafkaProducer>();
  private readonly appenders = new Set<{ close(): Promise<void> }>();
  private readonly memberships = new Set<KafkaMembership>();
  private readonly reads: KafkaPointReads;
  private readonly tails: { interactive: KafkaTails; bulk: KafkaTails };
  private adminClient: KafkaClient | null = null;
  private admin: Promise<Admin> | null = null;
  private adminTurns = 0;

  constructor(private readonly options: KafkaLogOptions) {
    const { logger } = options;
    this.reads = new KafkaPointReads((name) => this.client(name), this.leaders, options.readDeadlineMs ?? READ_DEADLINE_MS, logger);
    const bounds = (topic: string, partition: number) => this.reads.bounds(topic, partition);
    const turns = new BulkTurns();
    const tails = (name: string, limits: TailBounds) =>
      new KafkaTails(this.clusterView(name), bounds, limits, turns, logger);
    this.tails = { interactive: tails('tails', INTERACTIVE_BOUNDS), bulk: tails('tails-bulk', BULK_BOUNDS) };
  }

  async createTopics(specs: TopicSpec[]): Promise<void> {
    const created = await this.administer(ADMIN_MS_MAX, (admin) => createTopics(admin, specs, this.options.logger));
    // Metadata names leaders that do not lead yet: without this, the first appends and fetches would fail and wait. A busy cluster takes
    // longer for it than a read may: a process that did not wait would end although all is well.
    await Promise.all(created.flatMap(({ topic, partitions }) =>
      Array.from({ length: partitions }, (_, partition) => this.reads.bounds(topic, partition, ADMIN_MS_MAX))));
  }

  partitions(topic: string): Promise<number> {
    return this.reads.partitions(topic);
  }

  clusterId(): Promise<string> {
    return this.reads.clusterId(CHECK_MS_MAX);
  }

  appender<T>(options: AppenderOptions<T>): Appender<T> {
    let producer = this.producers.get(options.class);
    if (!producer) {
      producer = new KafkaProducer(this.clusterView(`append-${options.class}`), this.options.compression ?? 'none');
      this.producers.set(options.class, producer);
    }
    const requestBytesMax = options.class === 'bulk' ? BULK_REQUEST_BYTES_MAX : undefined;
    const batcher = new PartitionBatcher<T>({ ...options, route: producer.routeTo(options.topic), requestBytesMax });
    this.appenders.add(batcher);
    return batcher;
  }

  tail(topic: string, partition: number, from: number, handlers: TailHandlers): Tail {
    const isBulk = partition >= (this.options.partitionsInteractive ?? Infinity);
    return this.tails[isBulk ? 'bulk' : 'interactive'].add(topic, partition, from, handlers);
  }

  scan(topic: string, partition: number, from: number, options: ScanOptions = {}): Promise<LogBatch> {
    return this.reads.scan(topic, partition, from, options);
  }

  bounds(topic: string, partition: number): Promise<Bounds> {
    return this.reads.bounds(topic, partition);
  }

  async join(options: JoinOptions): Promise<Membership> {
    const membership = new KafkaMembership(this.clusterView('group'), options, this.options.logger);
    this.memberships.add(membership);
    await membership.start();
    return membership;
  }

  async check(): Promise<void> {
    await this.clusterId();
  }

  async close(): Promise<void> {
    await Promise.all([...this.memberships].map((membership) => membership.leave()));
    await Promise.all([...this.appenders].map((appender) => appender.close()));
    await Promise.all([this.tails.interactive.close(), this.tails.bulk.close()]);
    await Promise.all([...this.producers.values()].map((producer) => producer.close()));
    await this.reads.close();
    const admin = await this.admin?.catch(() => null);
    if (admin) await withDeadline(admin.disconnect(), CHECK_MS_MAX, 'Disconnecting').catch(() => undefined);
    this.adminClient?.close();
  }

  private clusterView(name: string): KafkaClusterView {
    return new KafkaClusterView(this.client(name), this.leaders);
  }

  private client(name: string): KafkaClient {
    return new KafkaClient(this.options, name);
  }

  private async administer<T>(deadlineMs: number, work: (admin: Admin) => Promise<T>): Promise<T> {
    const deadlineAt = performance.now() + deadlineMs;
    for (;;) {
      try {
        return await withDeadline(this.openAdmin().then(work), Math.max(1, deadlineAt - performance.now()), 'Kafka');
      } catch (cause) {
        const isOver = performance.now() + ADMIN_RETRY_MS >= deadlineAt;
        if (isOver) this.adminClient?.dropConnections('An administrative request took too long.');
        // A list of what is wrong with each topic is Kafka's answer, not trouble on the way to it.
        if (isOver || cause instanceof KafkaJSAggregateError) {
          throw new StreamError('LOG_UNAVAILABLE', { detail: reasonOf(cause), retryAfterMs: 1000 }, { cause });
        }
        await new Promise((resolve) => setTimeout(resolve, ADMIN_RETRY_MS));
      }
    }
  }

  /** kafkajs tries the same seed again while that one hangs: each attempt is bounded here and begins with another [KAFKA-24]. */
  private openAdmin(): Promise<Admin> {
    this.admin ??= (async () => {
      const { brokers } = this.options;
      const at = this.adminTurns++ % brokers.length;
      const client = new KafkaClient({ ...this.options, brokers: [...brokers.slice(at), ...brokers.slice(0, at)] }, 'admin');
      this.adminClient?.close();
      this.adminClient = client;
      const admin = client.kafka.admin();
      await withDeadline(admin.connect(), ADMIN_CONNECT_MS_MAX, 'Connecting');
      return admin;
    })().catch((error) => {
      this.admin = null;
      throw error;
    });
    return this.admin;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof KafkaJSAggregateError) return error.errors.map(reasonOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
