import { decodeRecord, encodeLifecycle, judge, publicStatus } from '@rivulet/protocol';
import type { Effect, LifecycleValue, LogRecord, StreamState, TopicNames, Verdict } from '@rivulet/protocol';
import type { Appender, Log, StoredRecord, Tail } from '@rivulet/log';
import { crc32 } from '@rivulet/service';

interface Folded { state: StreamState; verdicts: Verdict[]; content: Buffer[] }

const VERDICTS_MAX = 16;

/**
 * The simplest owner, for tests of ingest and allocator: folds every partition from its start and publishes what the judge says after each
 * record. No claim, no checkpoint, no restart, no clock.
 */
export class FoldOwner {
  readonly streams = new Map<string, Folded>();
  /** Every record, in the order it was folded. */
  readonly records: { key: string; record: LogRecord; offset: number; partition: number }[] = [];
  readonly refused: Extract<Effect, { kind: 'refused' }>[] = [];
  private readonly tails: Tail[] = [];
  private readonly appender: Appender<LifecycleValue>;
  /** Set to hold verdicts back. */
  isSilent = false;
  private gate: Promise<void> = Promise.resolve();
  private open: () => void = () => undefined;
  private isClosed = false;

  constructor(log: Log, topics: TopicNames, partitions: number) {
    this.appender = log.appender({
      topic: topics.lifecycle, class: 'control', queueBytesMax: 64 << 20, batchBytesMax: 512 << 10, batchEntriesMax: 500, deadlineMs: 60_000,
      encode: (values) => values.map((value) => ({ key: value.streamNo, value: encodeLifecycle(value), entries: 1 })),
    });
    for (let partition = 0; partition < partitions; partition += 1) {
      this.tails.push(log.tail(topics.fragments, partition, 0, {
        onBatch: async (batch) => {
          // What the tail lends is valid until this returns, and it waits: so the records stay readable across the gate.
          await this.gate;
          for (const record of batch.records) if (!this.isClosed) this.take(record, partition);
        },
        onJump: () => undefined,
      }));
    }
  }

  /** Content of a stream as readers would see it. */
  content(streamNo: string): Buffer {
    return Buffer.concat(this.streams.get(streamNo)?.content ?? []);
  }

  /** Folds nothing until resume(): an owner that lags. */
  pause(): void {
    this.gate = new Promise((resolve) => { this.open = resolve; });
  }

  resume(): void {
    this.open();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.open();
    await Promise.all(this.tails.map((tail) => tail.close()));
    await this.appender.close();
  }

  private take(stored: StoredRecord, partition: number): void {
    if (stored.value === null) return;
    const record = decodeRecord(Buffer.from(stored.value));
    this.records.push({ key: stored.key, record, offset: stored.offset, partition });
    if (record.kind !== 'beat') return this.fold(stored.key, record, stored, partition);
    for (const beating of record.streams) this.fold(beating.no, { kind: 'beat', streams: [beating] }, stored, partition);
  }

  private fold(streamNo: string, record: LogRecord, { offset, timestamp }: StoredRecord, partition: number): void {
    const before = this.streams.get(streamNo);
    const { state, effects } = judge(before?.state, streamNo, record, offset, timestamp, crc32);
    if (!state) return;
    const folded = before ?? { state, verdicts: [], content: [] };
    folded.state = state;
    this.streams.set(streamNo, folded);
    for (const effect of effects) this.apply(folded, effect);
    if (!this.isSilent) void this.appender.append(partition, valueOf(folded, offset), 1024);
  }

  private apply(folded: Folded, effect: Effect): void {
    if (effect.kind === 'verdict') folded.verdicts = [...folded.verdicts, effect.verdict].slice(-VERDICTS_MAX);
    if (effect.kind === 'fragments') for (const payload of effect.payloads) folded.content.push(Buffer.from(payload));
    if (effect.kind === 'attempt' && effect.keep === 'none') folded.content = [];
    if (effect.kind === 'refused') this.refused.push(effect);
  }
}

function valueOf({ state, verdicts }: Folded, offset: number): LifecycleValue {
  return {
    version: [0, offset, 0], streamNo: state.streamNo, status: publicStatus(state), open: state.open, openedAt: state.openedAt,
    openedOffset: state.openedOffset, epoch: state.epoch, writerRun: state.writerRun,
    sequence: state.next - 1, bytes: state.bytes, checksum: state.checksum,
    updatedAt: state.judgedAt, attempts: state.attempts, verdicts, final: state.final, positions: [],
  };
}
