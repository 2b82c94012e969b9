import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { decodeRecord, judge, stateAt } from '@rivulet/protocol';
import type { Effect, LifecycleValue, LogRecord, StreamState } from '@rivulet/protocol';
import type { LogBatch, StoredRecord } from '@rivulet/log';
import { alteredBytes } from './altered-byte';
import { anchorsOf, differenceAt } from './anchors';
import type { Anchor, Difference } from './anchors';
import { ContentMap } from './content-map';
import { damage } from './damage';
import type { Damage, Suspect } from './damage';

/** More explanations of one checksum than this explain nothing. */
const SUSPECTS_MAX = 8;
/** Records that are listed when a stretch cannot be narrowed further. */
const RECORDS_MAX = 16;

/** The last place at which the fold agreed with lifecycle. */
interface Agreed { offset: number; bytes: number }

/**
 * Folds one stream again with the judge that every instance has, and holds it against what an owner wrote down on the way: each position,
 * the checkpoint and the end lie at an offset. Where they differ first, the damage lies between that offset and the one before.
 */
export class Refold {
  state: StreamState | undefined;
  readonly damages: Damage[] = [];
  records = 0;
  refused = 0;
  duplicates = 0;
  /** First and last record of the stream. */
  first = -1;
  last = -1;
  /** Whether the SHA-256 covers all of the content: not when it began midway or went on from a position. */
  isWhole: boolean;
  /** SHA-256 that the producer sealed, '' when it did not. */
  sealed: string;
  /** Whether it began with the `open`. */
  readonly isFromOpen: boolean;
  private readonly anchors: Anchor[];
  private readonly content = new ContentMap();
  private agreed: Agreed;
  private hash: Hash = createHash('sha256');
  private bytes: number;
  private acceptedAt: number;
  private isAstray = false;

  /** @param start position from which the fold begins; null: with the `open` */
  constructor(private readonly streamNo: string, private readonly lifecycle: LifecycleValue | null, start: Anchor | null) {
    this.anchors = lifecycle === null ? [] : anchorsOf(lifecycle).filter((anchor) => start === null || anchor.offset > start.offset);
    if (start?.position && lifecycle) this.state = stateAt(lifecycle, start.position, lifecycle.attempts);
    this.isFromOpen = start === null;
    this.isWhole = start === null || start.next === 1;
    this.bytes = start?.bytes ?? 0;
    this.content.restart(this.bytes);
    this.acceptedAt = start?.offset ?? -1;
    this.agreed = { offset: this.acceptedAt, bytes: this.bytes };
    this.sealed = lifecycle?.final?.digest ?? '';
  }

  take(batch: LogBatch): void {
    for (const { firstOffset, lastOffset, reason } of batch.unreadable ?? []) {
      this.damages.push(damage('RECORD_UNREADABLE', firstOffset, lastOffset, `Kafka's record batch cannot be read: ${reason}.`));
    }
    for (const record of batch.records) {
      if (record.key !== this.streamNo) this.passOver(record, batch.partition);
      else {
        this.compareBelow(record.offset);
        this.fold(record);
      }
    }
  }

  /** @param end of the log: what lifecycle has seen beyond it is lost */
  finish(end: number): void {
    this.compareBelow(end);
    const beyond = this.anchors[0];
    if (beyond) {
      this.damages.push(damage('LOG_TRUNCATED', end, beyond.offset, `The log ends at offset ${end}, but lifecycle has seen offset ${beyond.offset} of this stream.`));
    }
  }

  get digest(): string {
    return this.isWhole ? this.hash.copy().digest('hex') : '';
  }

  /** A key that is almost ours: a record of this stream whose key was altered. */
  private passOver({ key, offset }: StoredRecord, partition: number): void {
    if (key.length !== this.streamNo.length) return;
    let differing = 0;
    for (let index = 0; index < key.length && differing <= 2; index += 1) if (key[index] !== this.streamNo[index]) differing += 1;
    if (differing > 2) return;
    this.damages.push(damage('KEY_ALTERED', offset, offset, `Partition ${partition} has a record under the key ${key}, which differs from this streamNo in ${differing} of its characters.`));
  }

  private fold(record: StoredRecord): void {
    const { offset } = record;
    this.records += 1;
    if (this.first < 0) this.first = offset;
    this.last = offset;
    const decoded = this.decode(record);
    if (decoded === null) return;
    // Fragments that were held came in earlier records than the one that lets them out.
    const heldAt = new Map(this.state?.held.map((held) => [held.sequence, held.offset]));
    const before = this.state?.final ?? null;
    const { state, effects } = judge(this.state, this.streamNo, decoded, offset, record.timestamp, crc32);
    this.state = state;
    for (const effect of effects) this.apply(effect, offset, heldAt);
    if (decoded.kind === 'end' && decoded.digest !== '' && this.sealed === '') this.sealed = decoded.digest;
    const isSealedOtherwise = before === null && state?.final?.reason === 'CHECKSUM_MISMATCH' && this.lifecycle?.final?.status !== 'ended';
    if (isSealedOtherwise && decoded.kind === 'end' && decoded.checksum !== null) this.blameContent(state, decoded.checksum, offset);
  }

  private decode({ value, offset }: StoredRecord): LogRecord | null {
    try {
      if (value === null) throw new Error('it has no value');
      // The judge keeps what is held, and the value is only lent.
      return decodeRecord(Buffer.from(value));
    } catch (error) {
      this.damages.push(damage('RECORD_UNDECODABLE', offset, offset, `The record is no LogRecord: ${(error as Error).message}.`));
      return null;
    }
  }

  private apply(effect: Effect, offset: number, heldAt: ReadonlyMap<number, number>): void {
    if (effect.kind === 'refused') this.refused += 1;
    if (effect.kind === 'duplicate') this.duplicates += 1;
    if (effect.kind === 'attempt' && effect.keep === 'none') {
      this.content.restart(0);
      this.hash = createHash('sha256');
      this.isWhole = true;
      this.bytes = 0;
      this.agreed = { offset, bytes: 0 };
    }
    if (effect.kind !== 'fragments') return;
    effect.payloads.forEach((payload, index) => {
      const sequence = effect.firstSequence + index;
      this.content.add(heldAt.get(sequence) ?? offset, sequence, payload.length);
      this.hash.update(payload);
      this.bytes += payload.length;
    });
    this.acceptedAt = offset;
  }

  private compareBelow(offset: number): void {
    for (let anchor = this.anchors[0]; anchor && anchor.offset < offset; anchor = this.anchors[0]) {
      this.anchors.shift();
      const difference = differenceAt(anchor, this.state);
      // Once records are missing everything differs, until a position says where the fold can go on.
      if (difference !== null && !this.isAstray) this.report(anchor, difference);
      this.agreed = { offset: anchor.offset, bytes: anchor.bytes };
      if (difference !== null) this.goOnFrom(anchor, difference);
    }
  }

  /** As if nothing were wrong before, so that a second damage shows too. */
  private goOnFrom({ position, checksum, bytes }: Anchor, { field }: Difference): void {
    this.isWhole = false;
    if (field === 'checksum' && this.state) this.state.checksum = checksum;
    else if (position && this.lifecycle) {
      this.state = stateAt(this.lifecycle, position, this.lifecycle.attempts);
      this.bytes = bytes;
      this.content.restart(bytes);
      this.isAstray = false;
    } else this.isAstray = true;
  }

  private report(anchor: Anchor, { field, wanted, found }: Difference): void {
    const from = this.agreed.offset + 1;
    // What was found there already explains it.
    if (this.damages.some((one) => one.toOffset >= from && one.fromOffset <= anchor.offset)) return;
    if (field === 'checksum') return this.blame(wanted, found, { from: this.agreed.bytes, to: anchor.bytes }, { from, to: anchor.offset });
    const records = few(this.content.offsetsWithin(this.agreed.bytes, Math.max(this.bytes, anchor.bytes)));
    const [held] = this.state?.held ?? [];
    if (field === 'next' && found < wanted) {
      const what = `Fragment ${found} is missing, of ${wanted - 1} that lifecycle (${anchor.source}) counts${held ? `; the next one there is ${held.sequence}, at offset ${held.offset}` : ''}.`;
      this.damages.push(damage('FRAGMENTS_MISSING', Math.max(from, this.acceptedAt + 1), held ? held.offset - 1 : anchor.offset, what));
      return;
    }
    const names = { epoch: 'epoch', next: 'next fragment', bytes: 'bytes of content', checksum: 'CRC-32' };
    this.damages.push(damage('CONTENT_DIFFERS', from, anchor.offset, `The ${names[field]} is ${found} in the log and ${wanted} in lifecycle (${anchor.source}).`, { records }));
  }

  /** The producer sealed other bytes than came: lifecycle folded the same bytes as we, so nothing in between narrows it. */
  private blameContent(state: StreamState, wanted: number, offset: number): void {
    this.blame(wanted, state.checksum, { from: 0, to: state.bytes }, { from: Math.max(0, this.first + 1), to: offset - 1 });
  }

  private blame(wanted: number, found: number, bytes: { from: number; to: number }, offsets: { from: number; to: number }): void {
    const suspects = alteredBytes(wanted ^ found, bytes.to - bytes.from, SUSPECTS_MAX).flatMap(({ at, difference }): Suspect[] => {
      const place = this.content.placeOf(bytes.from + at);
      return place ? [{ ...place, difference, isProved: false }] : [];
    });
    const records = this.content.offsetsWithin(bytes.from, bytes.to);
    const [from = offsets.from, to = offsets.to] = records.length > 0 ? [records[0]!, records.at(-1)!] : [];
    this.damages.push(damage('CONTENT_ALTERED', from, to, `The content has the CRC-32 ${hex(found)} where ${hex(wanted)} was written down.`, { records: few(records), suspects }));
  }
}

const few = (records: number[]): number[] | undefined => (records.length <= RECORDS_MAX ? records : undefined);
const hex = (checksum: number): string => checksum.toString(16).padStart(8, '0');
