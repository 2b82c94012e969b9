/**
 * What a stream is, read as plainly as the rules of docs/PROTOCOL.md can be: no positions, no effects, no code of the product. It is slow,
 * keeps everything, and is what the simulation and the history checker believe when the product disagrees.
 */
import { crc32 } from 'node:zlib';
import type { LogRecord, OpenRecord } from '@rivulet/protocol';

export interface LoggedRecord { offset: number; timestamp: number; key: string; record: LogRecord }

export interface NaiveFragment { epoch: number; lane: string; payload: Buffer }

export interface NaiveFinal {
  status: 'ended' | 'failed' | 'cancelled' | 'expired';
  reason: string;
  epoch: number;
  sequence: number;
  bytes: number;
  checksum: number;
  digest: string;
  at: number;
  offset: number;
}

type Of<K extends LogRecord['kind']> = Extract<LogRecord, { kind: K }>;

export class NaiveStream {
  epoch = 1;
  /** Content by the epoch that began it: 1, and each attempt that kept nothing. */
  readonly contents = new Map<number, NaiveFragment[]>([[1, []]]);
  generation = 1;
  readonly attemptIds = new Map<number, string>();
  final: NaiveFinal | null = null;
  isDeleted = false;
  judgedAt: number;
  private waiting = new Map<number, { lane: string; payload: Buffer }>();
  private end: Of<'end'> & { lastSeq: number } | null = null;
  private run = '';
  private numbering: 'numbered' | 'unnumbered' | null = null;
  private writers = new Map<string, number>();

  constructor(readonly open: OpenRecord, readonly openedAt: number, readonly openedOffset: number) {
    this.judgedAt = openedAt;
  }

  get content(): NaiveFragment[] {
    return this.contents.get(this.generation)!;
  }

  get status(): 'open' | NaiveFinal['status'] {
    return this.final?.status ?? 'open';
  }

  /** A record under the stream's own key, in order of offset. */
  apply(record: LogRecord, offset: number, timestamp: number): void {
    this.judgedAt = Math.max(this.judgedAt, timestamp);
    if (record.kind === 'delete') {
      if (this.final !== null && this.judgedAt >= this.final.at + this.open.retentionMs) this.isDeleted = true;
      return;
    }
    if (this.final !== null) return;
    if (record.kind === 'append') this.append(record, offset);
    else if (record.kind === 'end') this.take(record, offset);
    else if (record.kind === 'retry') this.retry(record, offset);
    else if (record.kind === 'abort' && record.epoch === this.epoch && !this.isOther(record)) this.finish('failed', record.code, offset);
    else if (record.kind === 'cancel') this.finish('cancelled', record.reason, offset);
    else if (record.kind === 'gap' && this.isMissing && record.epoch === this.epoch && record.next === this.content.length + 1) {
      this.finish('failed', 'GAP_TIMEOUT', offset);
    } else if (record.kind === 'expire' && this.judgedAt >= this.openedAt + this.open.ttlMs) this.finish('expired', '', offset);
  }

  private isOther({ writerRun = '' }: Of<'end'> | Of<'abort'>): boolean {
    return writerRun !== '' && this.run !== '' && writerRun !== this.run;
  }

  private get isMissing(): boolean {
    return this.waiting.size > 0 || this.end !== null;
  }

  private append(record: Of<'append'>, offset: number): void {
    if (record.epoch !== this.epoch) return;
    if (record.writerRun !== '') {
      if (this.run === '') this.run = record.writerRun;
      else if (this.run !== record.writerRun) return;
    }
    if (record.payloads.length === 0) return;
    const numbering = record.firstSeq > 0 ? 'numbered' : 'unnumbered';
    this.numbering ??= numbering;
    if (this.numbering !== numbering) return this.finish('failed', 'NUMBERING_MIXED', offset);
    if (numbering === 'numbered') this.appendNumbered(record, offset);
    else this.appendUnnumbered(record, offset);
    if (this.final === null) this.seal(offset);
  }

  private appendNumbered({ firstSeq, payloads, lane }: Of<'append'>, offset: number): void {
    if (this.end !== null && firstSeq + payloads.length - 1 > this.end.lastSeq) return this.finish('failed', 'END_MISMATCH', offset);
    for (const [index, payload] of payloads.entries()) {
      const sequence = firstSeq + index;
      if (sequence <= this.content.length || this.waiting.has(sequence)) continue;
      this.waiting.set(sequence, { lane, payload: Buffer.from(payload) });
      for (let next = this.waiting.get(this.content.length + 1); next; next = this.waiting.get(this.content.length + 1)) {
        this.waiting.delete(this.content.length + 1);
        this.content.push({ epoch: this.epoch, ...next });
      }
      if (this.waiting.size > this.open.limits.heldFragmentsMax) return this.finish('failed', 'GAP_TOO_LARGE', offset);
    }
  }

  private appendUnnumbered({ writer, n, payloads, lane }: Of<'append'>, offset: number): void {
    const fresh = payloads.filter((_, index) => n + index > (this.writers.get(writer) ?? 0));
    if (this.end !== null && this.content.length + fresh.length > this.end.lastSeq) return this.finish('failed', 'END_MISMATCH', offset);
    this.writers.set(writer, Math.max(this.writers.get(writer) ?? 0, n + payloads.length - 1));
    for (const payload of fresh) this.content.push({ epoch: this.epoch, lane, payload: Buffer.from(payload) });
  }

  private take(record: Of<'end'>, offset: number): void {
    if (record.epoch !== this.epoch || this.end !== null || this.isOther(record)) return;
    const lastSeq = record.lastSeq ?? this.content.length;
    const isAbove = record.lastSeq === null ? this.waiting.size > 0 : [...this.waiting.keys()].some((sequence) => sequence > lastSeq);
    if (isAbove || lastSeq < this.content.length) return this.finish('failed', 'END_MISMATCH', offset);
    this.end = { ...record, lastSeq };
    this.seal(offset);
  }

  private retry(record: Of<'retry'>, offset: number): void {
    if (record.epoch !== this.epoch + 1) return;
    if (this.attemptIds.size + 1 >= this.open.limits.attemptsMax) return this.finish('failed', 'ATTEMPTS_EXHAUSTED', offset);
    this.epoch = record.epoch;
    this.attemptIds.set(record.epoch, record.attemptId);
    this.waiting = new Map();
    this.writers = new Map();
    this.end = null;
    this.run = '';
    if (record.keep === 'all') return;
    this.generation = record.epoch;
    this.contents.set(record.epoch, []);
    this.numbering = null;
  }

  private seal(offset: number): void {
    if (this.end === null || this.content.length < this.end.lastSeq) return;
    const isOther = this.end.checksum !== null && this.end.checksum !== this.checksum();
    if (isOther) this.finish('failed', 'CHECKSUM_MISMATCH', offset);
    else this.finish('ended', '', offset, this.end.digest);
  }

  private checksum(): number {
    return this.content.reduce((sum, { payload }) => crc32(payload, sum), 0);
  }

  private finish(status: NaiveFinal['status'], reason: string, offset: number, digest = ''): void {
    const bytes = this.content.reduce((sum, { payload }) => sum + payload.length, 0);
    this.final = {
      status, reason, epoch: this.epoch, sequence: this.content.length, bytes, checksum: this.checksum(), digest, at: this.judgedAt, offset,
    };
  }
}

/** Streams by streamNo, read from records in the order of the log. */
export class NaiveStreams extends Map<string, NaiveStream> {
  add({ key, record, offset, timestamp }: LoggedRecord): void {
    const stream = this.get(key);
    if (stream !== undefined) stream.apply(record, offset, timestamp);
    else if (record.kind === 'open') this.set(key, new NaiveStream(record, timestamp, offset));
  }
}
