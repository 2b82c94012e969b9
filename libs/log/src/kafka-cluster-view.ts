import { StreamError } from '@rivulet/protocol';
import { withDeadline } from './deadline';
import type { KafkaClient } from './kafka-client';
import { metadataOf } from './kafka-epoch-requests';
import type { ClusterMetadata } from './kafka-epoch-requests';
import type { KafkaBroker } from './kafka-internals';
import type { KafkaLeaders } from './kafka-leaders';

const BACKOFF_MS = 50;
const BACKOFF_MS_MAX = 1000;
const DISCONNECT_MS_MAX = 2000;
/** Brokers asked at once: it takes as many hanging ones to wait for nothing. */
const ASKED_MAX = 3;
const ASK_MS_MAX = 2000;
/** A request to a leader that takes this long is a reason to look whether its partitions have moved. */
const SLOW_MS = 1000;

/** Errors a refreshed view of the cluster can mend; anything else is retried too, for a bounded time, but these are expected. */
export class StaleMetadata extends Error {}

interface Node { address: string; broker: KafkaBroker }

/**
 * Who leads which partition, kept current: the part of a client that producers, tails and point reads share the code of.
 *
 * kafkajs has one of its own, which is not used: it asks one broker at random, also one that hangs, while everybody waits; it tries
 * the same seed for ever when that one hangs at the start; and it takes no answer at all as long as any partition is without a
 * leader. Here several are asked, half of them suffice, and each topic and partition stands for itself [KAFKA-24].
 */
export class KafkaClusterView {
  private readonly createBroker: ReturnType<KafkaClient['brokerFactory']>;
  private readonly nodes = new Map<number, Node>();
  /** Used until a first answer, and again when nobody known answers. */
  private seeds: Node[] = [];
  private readonly wanted = new Set<string>();
  private refreshing: Promise<string> | null = null;
  private refreshedAt = -Infinity;
  private isClosed = false;

  /** @param leaders shared by the clients of a process: what one learns of the cluster all know */
  constructor(readonly client: KafkaClient, private readonly leaders: KafkaLeaders) {
    this.createBroker = client.brokerFactory();
  }

  /** @throws when the topic does not exist or nothing answers */
  async addTopic(topic: string): Promise<void> {
    // Also what is known already: an answer is about all topics while none is wanted. From the first one on it is only about those that
    // are, and a topic that is not would keep the leaders it had then, for ever.
    this.wanted.add(topic);
    if (this.nodes.size > 0 && this.leaders.has(topic)) return;
    // A refresh under way may have been asked before.
    await this.refresh();
    if (!this.leaders.has(topic)) await this.refresh();
    if (this.leaders.has(topic)) {
      // Somebody else who waited for it may have given it up meanwhile.
      this.wanted.add(topic);
      return;
    }
    this.wanted.delete(topic);
    throw new StaleMetadata(`Kafka knows no topic ${topic}`);
  }

  partitions(topic: string): number {
    return this.leaders.partitions(topic);
  }

  /** @returns node id of the leader; null when unknown or between two leaders */
  leader(topic: string, partition: number): number | null {
    const { nodeId } = this.leaders.of(topic, partition);
    return this.nodes.has(nodeId) ? nodeId : null;
  }

  /** @returns the newest that is known; -1 when unknown, and then Kafka checks nothing */
  leaderEpoch(topic: string, partition: number): number {
    return this.leaders.of(topic, partition).epoch;
  }

  /** @returns the identity of the cluster, from a fresh answer */
  refresh(): Promise<string> {
    this.refreshing ??= this.load().finally(() => { this.refreshing = null; });
    return this.refreshing;
  }

  async refreshIfOlder(ageMsMax: number): Promise<void> {
    if (performance.now() - this.refreshedAt > ageMsMax) await this.refresh();
  }

  async broker(nodeId: number): Promise<KafkaBroker> {
    const node = this.nodes.get(nodeId);
    if (!node) throw new StaleMetadata(`Broker ${nodeId} is not known`);
    return connected(node.broker);
  }

  /**
   * One request to the leader of partitions. A broker that hangs is otherwise given up only when the request times out: while it takes
   * long, we look whether the cluster has chosen another leader meanwhile, and then cut the connections to this one [KAFKA-20].
   */
  async request<T>(
    nodeId: number, places: readonly { topic: string; partition: number }[], send: (broker: KafkaBroker) => Promise<T>,
  ): Promise<T> {
    const watch = setInterval(() => void this.cutIfMoved(nodeId, places), SLOW_MS);
    try {
      return await send(await this.broker(nodeId));
    } finally {
      clearInterval(watch);
    }
  }

  /** The same with the leader of one partition, whoever that is. */
  async requestLeader<T>(
    topic: string, partition: number, send: (broker: KafkaBroker, leaderEpoch: number) => Promise<T>,
  ): Promise<T> {
    await this.addTopic(topic);
    const nodeId = this.leader(topic, partition);
    if (nodeId === null) throw new StaleMetadata(`${topic} ${partition} has no leader now`);
    return this.request(nodeId, [{ topic, partition }], (broker) => send(broker, this.leaderEpoch(topic, partition)));
  }

  /** @returns the broker that coordinates a group, and where it is */
  async coordinator(groupId: string): Promise<{ broker: KafkaBroker; address: string }> {
    if (this.nodes.size === 0) await this.refresh();
    const known = [...this.nodes.values()];
    const { coordinator } = await ask(known, 1, (broker) => broker.findGroupCoordinator({ groupId, coordinatorType: 0 }));
    if (!this.nodes.has(coordinator.nodeId)) await this.refresh();
    return { broker: await this.broker(coordinator.nodeId), address: this.nodes.get(coordinator.nodeId)!.address };
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
    this.isClosed = true;
    const brokers = [...this.nodes.values(), ...this.seeds].map(({ broker }) => broker.disconnect());
    await withDeadline(Promise.all(brokers), DISCONNECT_MS_MAX, 'Disconnecting').catch(() => undefined);
    this.client.close();
  }

  private async load(): Promise<string> {
    if (this.isClosed) throw new Error('The client is closed.');
    const startedAt = performance.now();
    const learn = (broker: KafkaBroker) => this.learn(broker);
    // Half of those asked: one that woke from a hang may be the first to answer, and knows only what was before [KAFKA-27].
    const half = (nodes: readonly Node[]) => Math.ceil(Math.min(nodes.length, ASKED_MAX) / 2);
    const known = [...this.nodes.values()];
    let clusterId: string | null = null;
    if (known.length > 0) clusterId = await ask(known, half(known), learn).catch(() => null);
    if (clusterId === null) {
      // Addresses may have changed altogether; an error here is the one worth telling.
      const seeds = await this.seedNodes();
      clusterId = await ask(seeds, half(seeds), learn);
    }
    this.refreshedAt = startedAt;
    return clusterId;
  }

  /** Also an answer that comes after enough others counts: what is newer in it is news. */
  private async learn(broker: KafkaBroker): Promise<string> {
    const metadata = await metadataOf(broker, [...this.wanted]);
    if (metadata.brokers.length === 0) throw new StaleMetadata('The broker knows no broker yet');
    if (!this.isClosed) await this.take(metadata);
    return metadata.clusterId;
  }

  private async take(metadata: ClusterMetadata): Promise<void> {
    const listed = new Map(metadata.brokers.map((broker) => [broker.nodeId, broker]));
    for (const [nodeId, { address }] of this.nodes) {
      const now = listed.get(nodeId);
      if (now && `${now.host}:${now.port}` === address) continue;
      // Fenced, removed or moved: what is on the wire to it will not be answered.
      this.nodes.delete(nodeId);
      this.client.dropConnections('The broker is not part of the cluster now.', address);
    }
    for (const { nodeId, host, port } of metadata.brokers) {
      if (this.nodes.has(nodeId)) continue;
      const broker = await this.createBroker(host, port, nodeId);
      // Another answer may have come meanwhile.
      if (!this.nodes.has(nodeId)) this.nodes.set(nodeId, { address: `${host}:${port}`, broker });
    }
    for (const { topic, errorCode, leaders } of metadata.topics) {
      // A topic that is missing from one answer may be known to the next broker: what we know of it stays.
      if (errorCode === 0 && leaders.length > 0) this.leaders.learn(topic, leaders);
    }
  }

  private async seedNodes(): Promise<Node[]> {
    if (this.seeds.length > 0) return this.seeds;
    const seeds = this.client.brokers.map(async (address): Promise<Node> => {
      const at = address.lastIndexOf(':');
      return { address, broker: await this.createBroker(address.slice(0, at), Number(address.slice(at + 1)), null) };
    });
    return (this.seeds = await Promise.all(seeds));
  }

  private async cutIfMoved(nodeId: number, places: readonly { topic: string; partition: number }[]): Promise<void> {
    const address = this.nodes.get(nodeId)?.address;
    await this.refresh().catch(() => undefined);
    const isMoved = places.some(({ topic, partition }) => {
      const leader = this.leader(topic, partition);
      return leader !== null && leader !== nodeId;
    });
    if (isMoved && address) this.client.dropConnections('The partition has moved to another broker.', address);
  }
}

/** Asks several brokers at once. @returns the first answer, once so many have answered, or those who can or all that did in time */
async function ask<T>(nodes: readonly Node[], enough: number, question: (broker: KafkaBroker) => Promise<T>): Promise<T> {
  const asked = shuffled(nodes).slice(0, ASKED_MAX);
  const answers: T[] = [];
  const failures: unknown[] = [];
  const answered = new Promise<void>((resolve) => {
    for (const { broker } of asked) {
      void connected(broker).then(question).then((answer) => answers.push(answer), (error) => failures.push(error)).then(() => {
        if (answers.length >= enough || answers.length + failures.length === asked.length) resolve();
      });
    }
  });
  await withDeadline(answered, ASK_MS_MAX, 'An answer of the cluster').catch((error) => failures.push(error));
  if (answers.length > 0) return answers[0]!;
  throw failures[0];
}

async function connected(broker: KafkaBroker): Promise<KafkaBroker> {
  if (!broker.isConnected()) await broker.connect();
  return broker;
}

function shuffled<T>(items: readonly T[]): T[] {
  return items.map((item) => ({ item, at: Math.random() })).sort((a, b) => a.at - b.at).map(({ item }) => item);
}
