import { isNewer } from '@rivulet/protocol';
import type { FinalFacts, LifecycleValue, PublicStatus, Verdict, Version } from '@rivulet/protocol';
import { Table } from '@rivulet/log';
import type { Log } from '@rivulet/log';
import type { FragmentRules } from './append-entry';

/** What ingest keeps of a stream's lifecycle value. */
export interface KnownStream {
  streamNo: string;
  version: Version;
  status: PublicStatus;
  epoch: number;
  /** Who holds the epoch [JUDGE-11]; '' when nobody does. */
  run: string;
  sequence: number;
  bytes: number;
  checksum: number;
  leaseMs: number;
  rules: FragmentRules;
  verdicts: readonly Verdict[];
  final: FinalFacts | null;
}

export interface StreamTableOptions {
  log: Log;
  topic: string;
  /** Keys that start with # are the owners', not streams. */
  decode(value: Buffer): LifecycleValue;
  /** Final streams kept, the oldest dropped first: an append to one that was dropped is judged in the log instead. */
  finalStreamsMax: number;
  onUndecodable(partition: number, offset: number, cause: unknown): void;
}

type Listener = (known: KnownStream) => void;

/** Status and verdicts of streams, as the owners publish them: a projection of the log, behind it by its lag [APPEND-6]. */
export class StreamTable {
  readonly ready: Promise<void>;
  private readonly table: Table<KnownStream>;
  private readonly listeners = new Map<string, Set<Listener>>();
  /** Oldest first. */
  private readonly finals = new Set<string>();

  constructor(private readonly options: StreamTableOptions) {
    this.table = new Table<KnownStream>({
      log: options.log,
      topic: options.topic,
      decode: (key, value) => (key.startsWith('#') ? null : knownOf(options.decode(value))),
      isNewer: (a, b) => isNewer(a.version, b.version),
      onUndecodable: (record, partition, cause) => options.onUndecodable(partition, record.offset, cause),
    });
    this.table.onChange((streamNo, known) => this.take(streamNo, known));
    this.ready = this.table.ready;
  }

  get isReady(): boolean {
    return this.table.isReady;
  }

  get size(): number {
    return this.table.size;
  }

  get(streamNo: string): KnownStream | undefined {
    return this.table.get(streamNo);
  }

  /** Called at each change, never for what is known already. @returns unsubscribe */
  onChange(streamNo: string, listener: Listener): () => void {
    let listeners = this.listeners.get(streamNo);
    if (!listeners) this.listeners.set(streamNo, (listeners = new Set()));
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.listeners.get(streamNo) === listeners) this.listeners.delete(streamNo);
    };
  }

  /** @returns the first value the test takes, the present one included; null when there was none within msMax */
  until(streamNo: string, test: (known: KnownStream) => boolean, msMax: number): Promise<KnownStream | null> {
    const present = this.get(streamNo);
    if (present && test(present)) return Promise.resolve(present);
    return new Promise((resolve) => {
      const settle = (known: KnownStream | null): void => {
        clearTimeout(timer);
        stop();
        resolve(known);
      };
      const timer = setTimeout(() => settle(null), msMax);
      const stop = this.onChange(streamNo, (known) => {
        if (test(known)) settle(known);
      });
    });
  }

  /** [APPEND-1] @returns the log's verdict on the record at that offset; null when it is not known, or still pending, after msMax */
  async verdict(streamNo: string, offset: number, msMax: number): Promise<{ verdict: Verdict; known: KnownStream } | null> {
    const known = await this.until(streamNo, (one) => verdictOf(one, offset) !== undefined, msMax);
    return known && { verdict: verdictOf(known, offset)!, known };
  }

  close(): Promise<void> {
    return this.table.close();
  }

  private take(streamNo: string, known: KnownStream | null): void {
    if (known?.final) this.keepFinal(streamNo);
    if (known === null) this.finals.delete(streamNo);
    if (known) for (const listener of this.listeners.get(streamNo) ?? []) listener(known);
  }

  private keepFinal(streamNo: string): void {
    this.finals.add(streamNo);
    if (this.finals.size <= this.options.finalStreamsMax) return;
    const oldest = this.finals.values().next().value as string;
    this.finals.delete(oldest);
    this.table.forget(oldest);
  }
}

function verdictOf(known: KnownStream, offset: number): Verdict | undefined {
  return known.verdicts.find((verdict) => verdict.offset === offset && verdict.outcome !== 'pending');
}

function knownOf(value: LifecycleValue): KnownStream {
  const { streamNo, version, status, epoch, writerRun = '', sequence, bytes, checksum, open, verdicts, final } = value;
  const rules = { merge: open.merge, fragmentBytesMax: open.limits.fragmentBytesMax };
  return { streamNo, version, status, epoch, run: writerRun, sequence, bytes, checksum, leaseMs: open.leaseMs, rules, verdicts, final };
}
