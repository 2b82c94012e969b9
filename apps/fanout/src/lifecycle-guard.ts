import { claimOf, decodeLifecycle, decodeOwner, OWNER_KEY } from '@rivulet/protocol';
import type { Log, StoredRecord, Tail } from '@rivulet/log';
import type { OwnerLogger } from './dead-letters';
import type { OpenStream } from './open-stream';
import type { StreamTable } from './stream-table';

export interface LifecycleGuardOptions {
  log: Log;
  topic: string;
  partition: number;
  instance: string;
  claim: number;
  table: StreamTable;
  logger: OwnerLogger;
  /** Offset after the last fragment record folded. */
  foldNext(): number;
  recall(streamNo: string): Promise<OpenStream | undefined>;
  /** A higher claim exists: somebody else owns the partition now. */
  onFenced(claim: number): void;
  /** Someone with a lower claim wrote over our value: it is to be written again. */
  rewrite(stream: OpenStream): void;
  rewriteOwner(): void;
  bury(streamNo: string): void;
}

/**
 * Reads the lifecycle partition an owner writes to, from its claim on. In a quiet system it sees only its own values. It is here for
 * the other case, two owners at once: whoever sees a higher claim stops; whoever has the highest writes again what a loser wrote
 * over, because compaction keeps the last write and not the highest version [OWN-2].
 */
export class LifecycleGuard {
  private readonly tail: Tail;
  private readonly ownStart: Buffer;
  private isClosed = false;

  constructor(private readonly options: LifecycleGuardOptions) {
    const { log, topic, partition, claim } = options;
    // Values begin with their version: ours are known by their first bytes, without parsing each of them.
    this.ownStart = Buffer.from(`{"version":[${claim},`);
    this.tail = log.tail(topic, partition, claim + 1, {
      onBatch: async (batch) => {
        for (const record of batch.records) {
          // Fenced by one of them, or revoked meanwhile: what is left says nothing any more, for our table is empty. By it everything
          // that a loser wrote would be of a stream we have buried.
          if (this.isClosed) return;
          await this.look(record);
        }
      },
      onJump: (jump) => options.logger.error({ topic, partition, ...jump }, 'the lifecycle topic lost records while it was followed'),
    });
  }

  /** Nothing is written for what was read when it returns. */
  close(): Promise<void> {
    this.isClosed = true;
    return this.tail.close();
  }

  private async look(record: StoredRecord): Promise<void> {
    const { logger, partition } = this.options;
    if (record.value === null) return this.lookAtTombstone(record.key);
    if (record.value.subarray(0, this.ownStart.byteLength).equals(this.ownStart)) return;
    try {
      if (record.key === OWNER_KEY) this.lookAtOwner(record);
      else await this.lookAtValue(record);
    } catch (error) {
      logger.error({ partition, key: record.key.slice(0, 64), offset: record.offset, err: error }, 'a lifecycle value cannot be read; writing ours over it');
      await this.restore(record.key);
    }
  }

  private lookAtOwner(record: StoredRecord): void {
    const { instance, claim, onFenced, rewriteOwner } = this.options;
    const owner = decodeOwner(record.value!);
    // A resend of our own claim may land a second time, above the first: that is still us.
    if (owner.instance === instance) return;
    const other = claimOf(owner.version, record.offset);
    if (other > claim) onFenced(other);
    else rewriteOwner();
  }

  private async lookAtValue(record: StoredRecord): Promise<void> {
    const { claim, table, onFenced, bury, foldNext } = this.options;
    const value = decodeLifecycle(record.value!);
    if (value.version[0] > claim) return onFenced(value.version[0]);
    const isKnown = table.live.has(record.key) || table.finished.has(record.key);
    if (isKnown) return this.restore(record.key);
    // A stream we have buried, brought back by a value that was late. One we have not folded yet is published when we have.
    if (value.openedOffset < foldNext()) bury(record.key);
  }

  private async lookAtTombstone(streamNo: string): Promise<void> {
    const { table } = this.options;
    const isOurs = !table.live.has(streamNo) && (table.finished.get(streamNo)?.isDeleted ?? true);
    if (!isOurs) await this.restore(streamNo);
  }

  private async restore(streamNo: string): Promise<void> {
    const stream = this.options.table.live.get(streamNo) ?? await this.options.recall(streamNo);
    if (stream !== undefined) this.options.rewrite(stream);
  }
}
