import { BEAT_KEY, encodeRecord } from '@rivulet/protocol';
import type { Appender, Log, RecordToAppend } from '@rivulet/log';
import type { Route } from './append-entry';

interface Beating { no: string; epoch: number }
interface Held { route: Route; /** Monotonic ms of the last record that renewed the lease. */ writtenAt: number }

export interface LeasesOptions {
  topic: string;
  /** Time between two rounds of beats, ms. A lease lapses at most this much later than leaseMs after the last proof. */
  tickMs: number;
  queueBytesMax: number;
  deadlineMs: number;
}

/** Streams one beat record names; at 40 bytes each it stays small. */
const BEAT_STREAMS_MAX = 1000;
const BEAT_BYTES = 48;

/**
 * [APPEND-7] Only proof of life keeps a lease: body bytes, a WebSocket pong, a heartbeat call. An open socket proves nothing.
 * A proof is written as a `beat` at the next tick unless an append of the stream was written since; one record names all streams
 * of a partition.
 */
export class Leases {
  private readonly appender: Appender<Beating>;
  private readonly proven = new Set<Lifeline>();
  private readonly timer: NodeJS.Timeout;
  /** Beats that could not be written; the next proof tries again. */
  lostBeats = 0;

  constructor(log: Log, options: LeasesOptions) {
    this.appender = log.appender({
      topic: options.topic, class: 'control', encode: packBeats, queueBytesMax: options.queueBytesMax,
      batchBytesMax: BEAT_STREAMS_MAX * BEAT_BYTES, batchEntriesMax: BEAT_STREAMS_MAX, deadlineMs: options.deadlineMs,
    });
    this.timer = setInterval(() => this.tick(), options.tickMs);
    this.timer.unref();
  }

  /** One per connection that can prove life for its streams. */
  connect(): Lifeline {
    return new Lifeline(this.proven);
  }

  /** `/heartbeat`: written at once; resolves when durable. */
  async beat(route: Route): Promise<void> {
    await this.appender.append(route.partition, { no: route.streamNo, epoch: route.epoch }, BEAT_BYTES);
  }

  /** Writes the proofs of this round. */
  tick(): void {
    for (const lifeline of this.proven) {
      for (const route of lifeline.due()) this.beat(route).catch(() => (this.lostBeats += 1));
    }
    this.proven.clear();
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    this.tick();
    await this.appender.close();
  }
}

/** The streams of one connection, and when it last proved that its producer lives. */
export class Lifeline {
  private readonly held = new Map<string, Held>();
  private provenAt = 0;

  constructor(private readonly proven: Set<Lifeline>) {}

  get size(): number {
    return this.held.size;
  }

  hold(route: Route): void {
    const held = this.held.get(route.streamNo);
    if (held) held.route = route;
    else this.held.set(route.streamNo, { route, writtenAt: 0 });
  }

  release(streamNo: string): void {
    this.held.delete(streamNo);
  }

  prove(now = performance.now()): void {
    this.provenAt = now;
    this.proven.add(this);
  }

  /** An append is activity in the log itself: no beat is needed for what was proven before it. */
  wrote(streamNo: string, now = performance.now()): void {
    const held = this.held.get(streamNo);
    if (held) held.writtenAt = now;
  }

  /** @returns streams whose last renewal in the log is older than the last proof */
  due(now = performance.now()): Route[] {
    const routes: Route[] = [];
    for (const held of this.held.values()) {
      if (held.writtenAt >= this.provenAt) continue;
      held.writtenAt = now;
      routes.push(held.route);
    }
    return routes;
  }
}

export function packBeats(entries: readonly Beating[]): RecordToAppend[] {
  return [{ key: BEAT_KEY, value: encodeRecord({ kind: 'beat', streams: [...entries] }), entries: entries.length }];
}
