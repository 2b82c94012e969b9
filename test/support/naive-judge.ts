/**
 * What one numbered stream holds after its records, by the plainest reading of the rules that can be written. It shares no code with the
 * judge of libs/protocol: what both agree on is right unless two readings are wrong in the same way.
 */
import { crc32 } from 'node:zlib';
import type { LogRecord } from '@rivulet/protocol';

export interface LoggedRecord { offset: number; key: string; record: LogRecord }

export interface NaiveContent {
  /** payload by sequence, index 0 = sequence 1 */
  fragments: Buffer[];
  /** epoch that wrote each of them */
  epochs: number[];
  status: 'open' | 'ended' | 'failed' | 'cancelled';
}

/** A map of what came, taken in sequence. Records of the stream go in, in the order of the log. */
export class NaiveStream implements NaiveContent {
  fragments: Buffer[] = [];
  epochs: number[] = [];
  status: NaiveContent['status'] = 'open';
  epoch = 1;
  private writerRun = '';
  private waiting = new Map<number, Buffer>();
  private end: { lastSeq: number; checksum: number | null } | null = null;

  add(record: LogRecord): void {
    if (this.status !== 'open') return;
    if (record.kind === 'append' && record.epoch === this.epoch) this.append(record);
    if (record.kind === 'retry' && record.epoch === this.epoch + 1) this.retry(record);
    if (record.kind === 'end' && record.epoch === this.epoch) this.end ??= { lastSeq: record.lastSeq ?? this.fragments.length, checksum: record.checksum };
    if (record.kind === 'abort' && record.epoch === this.epoch) this.status = 'failed';
    if (record.kind === 'cancel') this.status = 'cancelled';
    if (record.kind === 'gap' && record.epoch === this.epoch && record.next === this.fragments.length + 1 && this.isWaiting) this.status = 'failed';
    if (this.status === 'open' && this.end) this.settle(this.end);
  }

  private get isWaiting(): boolean {
    return this.waiting.size > 0 || this.end !== null;
  }

  private append({ firstSeq, writerRun, payloads }: LogRecord & { kind: 'append' }): void {
    this.writerRun ||= writerRun;
    if (writerRun !== '' && writerRun !== this.writerRun) return;
    payloads.forEach((payload, index) => {
      const sequence = firstSeq + index;
      if (sequence > this.fragments.length && !this.waiting.has(sequence)) this.waiting.set(sequence, Buffer.from(payload));
    });
    for (let next = this.waiting.get(this.fragments.length + 1); next; next = this.waiting.get(this.fragments.length + 1)) {
      this.waiting.delete(this.fragments.length + 1);
      this.fragments.push(next);
      this.epochs.push(this.epoch);
    }
  }

  private retry({ epoch, keep }: LogRecord & { kind: 'retry' }): void {
    this.epoch = epoch;
    this.writerRun = '';
    this.waiting = new Map();
    this.end = null;
    if (keep === 'none') {
      this.fragments = [];
      this.epochs = [];
    }
  }

  private settle({ lastSeq, checksum }: { lastSeq: number; checksum: number | null }): void {
    const isTooMuch = this.fragments.length > lastSeq || [...this.waiting.keys()].some((sequence) => sequence > lastSeq);
    const isWhole = this.fragments.length === lastSeq;
    if (isTooMuch) this.status = 'failed';
    else if (isWhole) this.status = checksum === null || checksum === this.fragments.reduce((sum, payload) => crc32(payload, sum), 0) ? 'ended' : 'failed';
  }
}

/** The content of one numbered stream after these records, which may be of many streams. */
export function naiveContent(records: LoggedRecord[], streamNo: string): NaiveContent {
  const stream = new NaiveStream();
  for (const { key, record } of records) if (key === streamNo) stream.add(record);
  return stream;
}
