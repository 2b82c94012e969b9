import { decodeLifecycle, OWNER_KEY } from '@rivulet/protocol';
import type { LifecycleValue, TopicNames } from '@rivulet/protocol';
import type { Log, StoredRecord, Tail } from '@rivulet/log';
import type { OwnerLogger } from './dead-letters';
import { FinishedStream } from './finished-stream';
import type { OpenStream } from './open-stream';
import { bareStateOf } from './restored-state';
import type { StreamTable } from './stream-table';
import type { Time } from './time';

export interface FollowedLifecycleOptions {
  log: Log;
  topics: TopicNames;
  partition: number;
  table: StreamTable;
  time: Time;
  logger: OwnerLogger;
  /** Offset of the lifecycle topic to read on from: where the restore ended. */
  from: number;
  /** Offset after the last fragment record folded. */
  foldNext(): number;
}

/**
 * What a follower learns from its owner's lifecycle values. Content it folds by itself. Here it hears where the value of an ended stream
 * is, so that the stream need not stay in memory, and of the only ends that are no records: a takeover that found records gone [OWN-5].
 */
export class FollowedLifecycle {
  private readonly tail: Tail;

  constructor(private readonly options: FollowedLifecycleOptions) {
    const { log, topics, partition, from, logger } = options;
    this.tail = log.tail(topics.lifecycle, partition, from, {
      onBatch: (batch) => batch.records.forEach((record) => this.look(record)),
      onJump: (jump) => logger.warn({ topic: topics.lifecycle, partition, ...jump }, 'the lifecycle topic lost records while it was followed'),
    });
  }

  close(): Promise<void> {
    return this.tail.close();
  }

  /** The fold changed what everyone may know of a stream; its value may have come before. */
  changed(stream: OpenStream): void {
    const { table, time } = this.options;
    // Not within the fold, which still holds it.
    if (stream.isFinal) time.soon(() => table.dismiss(stream));
  }

  private look(record: StoredRecord): void {
    const { table, partition, logger } = this.options;
    const { key } = record;
    const isKnown = table.live.has(key) || table.finished.has(key);
    if (!isKnown || key === OWNER_KEY) return;
    // [OWN-4] The tombstone: the last there is to know.
    if (record.value === null) return table.forget(key);
    try {
      const value = decodeLifecycle(record.value);
      if (value.final !== null) this.ended(value, record.offset);
    } catch (error) {
      logger.warn({ partition, key: key.slice(0, 64), offset: record.offset, err: error }, 'a lifecycle value cannot be read; its owner writes it anew');
    }
  }

  private ended(value: LifecycleValue, offset: number): void {
    const { table } = this.options;
    const stream = table.live.get(value.streamNo);
    if (stream === undefined) return this.finishedAnew(value, offset);
    stream.lifecycleOffset = offset;
    // We have folded what the owner had, and to us it goes on: it was ended at a takeover, and no record says so.
    const isEndedUnseen = !stream.isFinal && value.version[1] < this.options.foldNext();
    if (isEndedUnseen) {
      stream.state = bareStateOf(value);
      table.becameFinal();
      stream.notify();
    }
    table.dismiss(stream);
  }

  /** Written once more: removed [OWN-4], with another verdict, or over what a loser wrote. Compaction keeps only this one. */
  private finishedAnew(value: LifecycleValue, offset: number): void {
    const { table } = this.options;
    const known = table.finished.get(value.streamNo)!;
    const isDeleted = known.isDeleted || value.status === 'deleted';
    const foldedTo = Math.max(known.foldedTo, value.version[1]);
    table.replaceFinished(value.streamNo, new FinishedStream(offset, foldedTo, known.deleteAt, isDeleted, isDeleted ? '' : known.channel));
  }
}
