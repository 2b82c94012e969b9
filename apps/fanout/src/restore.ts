import { claimOf, decodeLifecycle, decodeOwner, isNewer, OWNER_KEY } from '@rivulet/protocol';
import type { LifecycleValue, OwnerValue, Version } from '@rivulet/protocol';
import type { Log, StoredRecord } from '@rivulet/log';
import type { DeadLetterSink } from './dead-letters';
import { FinishedStream } from './finished-stream';
import { Stall } from './stall';
import type { Time } from './time';

/** What the lifecycle topic knows of a stream that is not final; all of it is needed to go on. */
export interface RestoredOpen { version: Version; offset: number; value: LifecycleValue }
/** Of a final one only the small entry is kept: there may be very many. */
interface RestoredFinal { version: Version; offset: number; value: null; openedOffset: number; finished: FinishedStream }
export type RestoredStream = RestoredOpen | RestoredFinal;

export interface RestoredOwner { version: Version; value: OwnerValue }

const SCAN_BYTES_MAX = 4 * 1024 * 1024;

/**
 * The newest lifecycle value of each stream of a partition, by version and not by place: a loser's late write does not count [OWN-2].
 * A final status is sticky.
 */
export class LifecycleRestore {
  readonly streams = new Map<string, RestoredStream>();
  owner: RestoredOwner | null = null;
  /** Where reading goes on. */
  next = 0;
  private readonly channels = new Map<string, string>();

  constructor(
    private readonly log: Log,
    private readonly topic: string,
    private readonly partition: number,
    private readonly deadLetters: DeadLetterSink,
    private readonly time: Time,
    /** Throws when the partition has been revoked. */
    private readonly assertWanted: () => void,
  ) {}

  /** From the start to the end seen now. */
  async readAll(): Promise<void> {
    const { start, end } = await this.log.bounds(this.topic, this.partition);
    this.next = start;
    await this.readTo(end);
  }

  async readTo(end: number): Promise<void> {
    const stall = new Stall(this.time);
    while (this.next < end) {
      const batch = await this.log.scan(this.topic, this.partition, this.next, { bytesMax: SCAN_BYTES_MAX });
      for (const record of batch.records) this.add(record);
      const hasProgress = batch.nextOffset > this.next;
      this.next = batch.nextOffset;
      await stall.read(hasProgress);
      this.assertWanted();
    }
  }

  private add(record: StoredRecord): void {
    try {
      if (record.key === OWNER_KEY) this.addOwner(record);
      else if (record.value === null) this.streams.delete(record.key);
      else this.addStream(record, decodeLifecycle(record.value));
    } catch (error) {
      // An earlier value of the stream may still be there, and its records may still be in the log: nothing stops for this one [OWN-7].
      this.deadLetters.put('lifecycle-undecodable', this.topic, this.partition, record, error);
    }
  }

  private addOwner(record: StoredRecord): void {
    if (record.value === null) return;
    const value = decodeOwner(record.value);
    const [, offset, n] = value.version;
    const version: Version = [claimOf(value.version, record.offset), offset, n];
    if (this.owner === null || isNewer(version, this.owner.version)) this.owner = { version, value };
  }

  private addStream(record: StoredRecord, value: LifecycleValue): void {
    if (value.streamNo !== record.key) throw new Error(`a value of ${value.streamNo} under the key ${record.key}`);
    const known = this.streams.get(record.key);
    const isFinal = value.final !== null;
    if (known !== undefined) {
      if (known.value === null && !isFinal) return; // sticky
      const becomesFinal = isFinal && known.value !== null;
      if (!becomesFinal && !isNewer(value.version, known.version)) return;
    }
    const { version, openedOffset } = value;
    const { offset, key } = record;
    if (isFinal) this.streams.set(key, { version, offset, value: null, openedOffset, finished: this.finishedOf(value, offset) });
    else this.streams.set(key, { version, offset, value });
  }

  private finishedOf(value: LifecycleValue, offset: number): FinishedStream {
    const { channel, retentionMs } = value.open;
    // JSON makes a new string for each stream; a channel's streams share one.
    const shared = this.channels.get(channel) ?? channel;
    this.channels.set(channel, shared);
    const deleteAt = (value.final?.at ?? value.updatedAt) + retentionMs;
    const isDeleted = value.status === 'deleted';
    return new FinishedStream(offset, value.version[1], deleteAt, isDeleted, isDeleted ? '' : shared);
  }
}
