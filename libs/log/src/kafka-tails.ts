import type { BulkTurns } from './bulk-turns';
import type { KafkaLogger } from './kafka-client';
import type { KafkaClusterView } from './kafka-cluster-view';
import { ERROR_OFFSET_OUT_OF_RANGE, fetchPartitions } from './kafka-fetch';
import type { FetchedPartition } from './kafka-fetch';
import { FetchSession } from './kafka-fetch-session';
import type { Bounds, Tail, TailHandlers } from './log';

/** Long poll: how long an idle fetch waits at the broker, and so how long a new tail may wait for its first fetch. */
const POLL_MS_MAX = 150;
/**
 * While a handler runs, its partition is not in the fetch. A long poll would then make it wait for others' records, so polls are
 * short first and double as long as some handler stays busy: what is added is never much more than what the handler took itself.
 */
const POLL_MS_MIN = 4;
const BACKOFF_MS = 50;
const BACKOFF_MS_MAX = 1000;

/**
 * How much one fetch may bring. Bulk partitions have fetches of their own, small ones, and the loop gets a turn between any two of
 * their partitions: a flood in them costs an interactive fragment that arrives meanwhile at most the fold of one such piece [KAFKA-25].
 */
export interface TailBounds { partitionBytesMax: number; fetchBytesMax: number; isBulk: boolean }
export const INTERACTIVE_BOUNDS: TailBounds = { partitionBytesMax: 1024 * 1024, fetchBytesMax: 8 * 1024 * 1024, isBulk: false };
export const BULK_BOUNDS: TailBounds = { partitionBytesMax: 128 * 1024, fetchBytesMax: 256 * 1024, isBulk: true };

/**
 * idle (to be fetched) → fetching → handling (its handler's promise is pending) → idle. Trouble makes it idle with a pause.
 * `closed` is final; what arrives for it is dropped.
 */
type TailState = 'idle' | 'fetching' | 'handling' | 'closed';

class KafkaTail implements Tail {
  state: TailState = 'idle';
  failures = 0;
  /** Monotonic ms. */
  notBefore = 0;

  constructor(
    readonly topic: string,
    readonly partition: number,
    public nextOffset: number,
    readonly handlers: TailHandlers,
    private readonly onClose: (tail: KafkaTail) => void,
  ) {}

  async close(): Promise<void> {
    this.state = 'closed';
    this.onClose(this);
  }
}

/** All tails of one class: one client, and per leader one fetch at a time that covers every idle partition it leads. */
export class KafkaTails {
  private readonly tails = new Set<KafkaTail>();
  /** Leaders with a fetch on the wire. */
  private readonly polling = new Set<number>();
  private readonly sessions = new Map<number, FetchSession>();
  /** Wait of the last poll of a leader, ms. */
  private readonly pollMs = new Map<number, number>();
  private refreshing: Promise<void> | null = null;
  private scheduled: NodeJS.Immediate | null = null;
  private readonly timers = new Set<NodeJS.Timeout>();
  private isClosed = false;

  constructor(
    private readonly view: KafkaClusterView,
    /** Bounds through another connection: this one's is busy polling. */
    private readonly bounds: (topic: string, partition: number) => Promise<Bounds>,
    private readonly limits: TailBounds,
    private readonly turns: BulkTurns,
    private readonly logger?: KafkaLogger,
  ) {}

  add(topic: string, partition: number, from: number, handlers: TailHandlers): Tail {
    const tail = new KafkaTail(topic, partition, from, handlers, (closed) => this.tails.delete(closed));
    this.tails.add(tail);
    this.schedule();
    return tail;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const tail of [...this.tails]) await tail.close();
    for (const timer of this.timers) clearTimeout(timer);
    if (this.scheduled) clearImmediate(this.scheduled);
    await this.view.close();
  }

  /** After this turn of the loop: handlers that were done within it are back to idle and ride in the next fetch. */
  private schedule(): void {
    if (this.isClosed) return;
    this.scheduled ??= setImmediate(() => {
      this.scheduled = null;
      this.pump();
    });
  }

  private pump(): void {
    const now = performance.now();
    const byLeader = new Map<number, KafkaTail[]>();
    const unknown: KafkaTail[] = [];
    const leaderless: KafkaTail[] = [];
    const taken = new Map<string, KafkaTail>();
    const shared = new Set<KafkaTail>();
    for (const tail of this.tails) {
      if (tail.state !== 'idle' || tail.notBefore > now) continue;
      const key = `${tail.topic}/${tail.partition}`;
      const twin = taken.get(key);
      if (twin) {
        shared.add(twin);
        continue;
      }
      taken.set(key, tail);
      const leader = this.view.leader(tail.topic, tail.partition);
      if (leader === null) (tail.failures === 0 ? unknown : leaderless).push(tail);
      else if (!this.polling.has(leader)) byLeader.set(leader, [...(byLeader.get(leader) ?? []), tail]);
    }
    // A fetch names a partition once, from one offset: tails of the same partition take turns.
    for (const tail of shared) {
      this.tails.delete(tail);
      this.tails.add(tail);
    }
    // What is new is only looked up, and does not wait for what has been without a leader for a while.
    if (unknown.length > 0) this.pause(unknown, null);
    if (leaderless.length > 0) this.pause(leaderless, 'It has no leader.');
    for (const [leader, tails] of byLeader) void this.poll(leader, tails);
  }

  private async poll(leader: number, tails: KafkaTail[]): Promise<void> {
    this.polling.add(leader);
    for (const tail of tails) tail.state = 'fetching';
    let fetched: FetchedPartition[] = [];
    let cause: unknown = null;
    try {
      if (this.limits.isBulk) await this.bulkTurn();
      const bytesMax = this.limits.partitionBytesMax;
      const places = tails.map(({ topic, partition, nextOffset }) => (
        { topic, partition, leaderEpoch: this.view.leaderEpoch(topic, partition), from: nextOffset, bytesMax }));
      const bounds = { waitMs: this.nextPollMs(leader), bytesMax: this.limits.fetchBytesMax };
      fetched = await this.view.request(leader, places, (broker) => fetchPartitions(broker, places, bounds, this.sessionOf(leader)));
    } catch (error) {
      cause = error;
    }
    const found = new Map(fetched.map((part) => [`${part.topic}/${part.partition}`, part]));
    const troubled: KafkaTail[] = [];
    for (const tail of tails) {
      // A handler called in this very loop may have closed it.
      if (tail.state !== 'fetching') continue;
      const part = found.get(`${tail.topic}/${tail.partition}`);
      if (part === undefined && cause === null) tail.state = 'idle'; // no news
      else if (part?.errorCode === 0) {
        this.deliver(tail, part);
        if (this.limits.isBulk) await new Promise((resolve) => setImmediate(resolve));
      }
      else if (part?.errorCode === ERROR_OFFSET_OUT_OF_RANGE) void this.checkJump(tail);
      else troubled.push(tail);
    }
    this.polling.delete(leader);
    if (troubled.length > 0) this.pause(troubled, cause ?? `Kafka error ${found.get(`${troubled[0]!.topic}/${troubled[0]!.partition}`)?.errorCode}`);
    this.schedule();
  }

  /** One fetch is a turn: an answer is as large, and many small ones would cost more than one that waited a little. */
  private async bulkTurn(): Promise<void> {
    await this.turns.turn(this.limits.fetchBytesMax);
    this.turns.noteBulk(this.limits.fetchBytesMax);
  }

  private sessionOf(leader: number): FetchSession {
    let session = this.sessions.get(leader);
    if (!session) this.sessions.set(leader, (session = new FetchSession()));
    return session;
  }

  private nextPollMs(leader: number): number {
    const isAnyBusy = [...this.tails].some((tail) => tail.state === 'handling');
    const pollMs = isAnyBusy ? Math.min((this.pollMs.get(leader) ?? POLL_MS_MIN / 2) * 2, POLL_MS_MAX) : POLL_MS_MAX;
    if (isAnyBusy) this.pollMs.set(leader, pollMs);
    else this.pollMs.delete(leader);
    return pollMs;
  }

  private deliver(tail: KafkaTail, part: FetchedPartition): void {
    const { topic, partition, records, nextOffset, highWatermark } = part;
    tail.failures = 0;
    for (const batch of part.unreadable) this.logger?.error({ topic, partition, ...batch }, 'a batch cannot be read and was skipped');
    if (nextOffset === tail.nextOffset) {
      tail.state = 'idle';
      return;
    }
    if (!this.limits.isBulk) this.turns.noteInteractive();
    tail.nextOffset = nextOffset;
    tail.state = 'handling';
    const pending = tail.handlers.onBatch({ topic, partition, records, nextOffset, highWatermark });
    if (!pending) return this.handled(tail);
    // It must not reject (TailHandlers); if it does the process ends, as with any programmer error.
    void pending.then(() => this.handled(tail));
  }

  private handled(tail: KafkaTail): void {
    if (tail.state !== 'handling') return;
    tail.state = 'idle';
    this.schedule();
  }

  /** Out of range: kafkajs would silently reset to one end [KAFKA-17]. Here the reader learns what is gone. */
  private async checkJump(tail: KafkaTail): Promise<void> {
    try {
      const { start, end } = await this.bounds(tail.topic, tail.partition);
      if (tail.state !== 'fetching') return;
      if (tail.nextOffset < start || tail.nextOffset > end) {
        await tail.close();
        return tail.handlers.onJump({ expected: tail.nextOffset, start, end });
      }
      this.pause([tail], 'The leader does not have this offset yet.');
    } catch (error) {
      this.pause([tail], error);
    }
  }

  /** Leaves these alone for a while, and looks again who leads them. @param cause null: no trouble, and no while */
  private pause(tails: KafkaTail[], cause: unknown): void {
    let pauseMs = 0;
    for (const tail of tails) {
      if (tail.state === 'closed') continue;
      tail.state = 'idle';
      const tailMs = cause === null ? 0 : Math.min(BACKOFF_MS * 2 ** tail.failures, BACKOFF_MS_MAX);
      tail.notBefore = performance.now() + tailMs;
      tail.failures += 1;
      pauseMs = Math.max(pauseMs, tailMs);
    }
    if (cause !== null) {
      const facts = { cause: cause instanceof Error ? cause.message : cause, partitions: tails.map((tail) => `${tail.topic}/${tail.partition}`) };
      // A leader that moved is found at the second try; what lasts is worth a warning.
      const level = tails.some((tail) => tail.failures > 2) ? 'warn' : 'debug';
      this.logger?.[level](facts, 'partitions cannot be fetched; trying again');
    }
    const again = () => { if (!this.isClosed) this.schedule(); };
    void this.refresh(tails).then(() => {
      if (cause === null) return again();
      const timer = setTimeout(() => { this.timers.delete(timer); again(); }, pauseMs + 1);
      this.timers.add(timer);
    });
  }

  private refresh(tails: KafkaTail[]): Promise<void> {
    this.refreshing ??= (async () => {
      try {
        for (const topic of new Set(tails.map((tail) => tail.topic))) await this.view.addTopic(topic);
        await this.view.refresh();
      } catch (error) {
        for (const tail of tails) tail.failures += 1;
        this.logger?.warn({ cause: error instanceof Error ? error.message : error }, 'the cluster does not answer; trying again');
      } finally {
        this.refreshing = null;
      }
    })();
    return this.refreshing;
  }
}
