import { crc32 } from 'node:zlib';
import type { Appender, Log, LogBatch, Tail } from '@rivulet/log';
import { decodeRecord, encodeLifecycle, judge, publicStatus } from '@rivulet/protocol';
import type { Crc32, Effect, LifecycleValue, StreamState, TopicNames, Verdict } from '@rivulet/protocol';

const crc: Crc32 = (bytes, previous) => crc32(bytes, previous);

interface Folded { state: StreamState; verdicts: Verdict[]; n: number }

/**
 * The smallest possible owner of all partitions: folds `fragments` with the real judge and publishes what everyone may know after each
 * change. For tests of those who read the lifecycle topic, without the process that writes it in a running system.
 */
export class LifecycleFold {
  private readonly streams = new Map<string, Folded>();
  private readonly tails: Tail[];
  private readonly appender: Appender<{ key: string; value: Buffer }>;
  private gate: Promise<void> = Promise.resolve();
  private open: () => void = () => undefined;
  private folding: Promise<void> = Promise.resolve();
  private isClosed = false;

  constructor(log: Log, names: TopicNames, partitions: number) {
    this.appender = log.appender({
      topic: names.lifecycle, class: 'control', encode: (entries) => entries.map((entry) => ({ ...entry, entries: 1 })),
      queueBytesMax: 1e8, batchBytesMax: 500_000, batchEntriesMax: 500, deadlineMs: 5_000,
    });
    this.tails = Array.from({ length: partitions }, (_, partition) => log.tail(names.fragments, partition, 0, {
      onBatch: (batch) => (this.folding = this.fold(batch)), onJump: () => undefined,
    }));
  }

  /** Folds nothing until resume(): an owner that lags. */
  pause(): void {
    this.gate = new Promise((resolve) => { this.open = resolve; });
  }

  resume(): void {
    this.open();
  }

  state(streamNo: string): StreamState | undefined {
    return this.streams.get(streamNo)?.state;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.open();
    for (const tail of this.tails) await tail.close();
    await this.folding;
    await this.appender.close();
  }

  private async fold(batch: LogBatch): Promise<void> {
    // What the tail lends is valid until this returns, and it waits: so the records stay readable across the gate.
    await this.gate;
    for (const record of batch.records) {
      if (this.isClosed) return;
      if (record.value === null || record.key.startsWith('#')) continue;
      const known = this.streams.get(record.key);
      const decoded = decodeRecord(record.value);
      const { state, effects } = judge(known?.state, record.key, decoded, record.offset, record.timestamp, crc);
      if (!state) continue;
      const folded = known ?? { state, verdicts: [], n: 0 };
      this.streams.set(record.key, folded);
      if (this.take(folded, effects)) await this.publish(folded, batch.partition);
    }
  }

  private take(folded: Folded, effects: readonly Effect[]): boolean {
    for (const effect of effects) if (effect.kind === 'verdict') folded.verdicts = [...folded.verdicts, effect.verdict].slice(-16);
    return effects.some((effect) => effect.kind !== 'fragments' && effect.kind !== 'duplicate');
  }

  private async publish(folded: Folded, partition: number): Promise<void> {
    const { state } = folded;
    folded.n += 1;
    const value: LifecycleValue = {
      version: [0, state.offset, folded.n], streamNo: state.streamNo, status: publicStatus(state), open: state.open,
      openedAt: state.openedAt,
      openedOffset: state.openedOffset, epoch: state.epoch, sequence: state.next - 1, bytes: state.bytes, checksum: state.checksum,
      updatedAt: state.judgedAt, attempts: state.attempts, verdicts: folded.verdicts, final: state.final, positions: [],
    };
    const bytes = Buffer.from(encodeLifecycle(value));
    await this.appender.append(partition, { key: state.streamNo, value: bytes }, bytes.byteLength);
  }
}
