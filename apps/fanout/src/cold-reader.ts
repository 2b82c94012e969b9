import { StreamError, decodeRecord, formatCursor, judge, stateAt } from '@rivulet/protocol';
import type { Effect, LogRecord, Position, StreamState } from '@rivulet/protocol';
import type { LogBatch, StoredRecord } from '@rivulet/log';
import { crc32 } from '@rivulet/service';
import type { ScanTurns } from './scan-turns';
import type { StreamEntry } from './stream-source';
import { joinRun } from './view-segment';
import type { Run } from './view-segment';

/** Bytes of the first scan of a reader; doubled while little of it is the reader's own, halved while it is more than a frame. */
const SCAN_BYTES_FIRST = 256 * 1024;
const SCAN_BYTES_MIN = 64 * 1024;
const SCAN_BYTES_MAX = 4 * 1024 * 1024;
/** Until the log is asked again for what it does not show yet, ms. */
const AGAIN_MS = 200;

/** Epoch of the last attempt that started the content over, or 1: sequences count from there. */
export function generationOf(state: StreamState): number {
  for (let index = state.attempts.length - 1; index >= 0; index -= 1) {
    const attempt = state.attempts[index]!;
    if (attempt.keep === 'none') return attempt.epoch;
  }
  return 1;
}

/** Whether a judge that starts at the position meets (generation, sequence + 1). True for a prefix of the positions, which ascend. */
const isBefore = (position: Position, generation: number, sequence: number): boolean =>
  position.epoch < generation || position.next <= sequence + 1;

/** @returns the last position from which what follows `sequence` can be read. @throws StreamError CURSOR_EXPIRED [WATCH-5] */
export function positionFor(entry: StreamEntry, generation: number, sequence: number): Position {
  const position = entry.positions.findLast((one) => isBefore(one, generation, sequence));
  if (position === undefined) throw expired(entry, generation, 0);
  return position;
}

/** [WATCH-5] Says what is the oldest that can still be read. @param logStart positions below it are of no use */
export function expired(entry: StreamEntry, generation: number, logStart: number): StreamError {
  const { state } = entry;
  const oldest = entry.positions.find((one) => one.epoch >= generation && one.offset + 1 >= logStart);
  const cursor = oldest === undefined ? formatCursor(state.epoch, state.next - 1) : formatCursor(oldest.epoch, oldest.next - 1);
  return new StreamError('CURSOR_EXPIRED', { streamNo: entry.streamNo, oldest: cursor });
}

/**
 * Reads a stream back from the log: from a judge position at or below the cursor, filtered by key, through the same judge, so that
 * duplicates, fenced and reordered records come out as they did live. It never reads past what the owner has folded: what it gives is
 * what the view gave, byte for byte.
 */
export class ColdReader {
  private state: StreamState | undefined;
  private nextOffset: number;
  private scanBytes = SCAN_BYTES_FIRST;

  /** @throws StreamError CURSOR_EXPIRED */
  constructor(
    private readonly entry: StreamEntry,
    private readonly generation: number,
    /** Last sequence the reader has. */
    private sequence: number,
    private readonly turns: ScanTurns,
  ) {
    const position = positionFor(entry, generation, sequence);
    this.state = stateAt(entry.state, position, entry.state.attempts);
    this.nextOffset = position.offset + 1;
  }

  /** Whether it keeps payloads of fragments that came before their turn: more than a reader that stalls may cost. */
  get isHolding(): boolean {
    return (this.state?.heldBytes ?? 0) > 0;
  }

  /**
   * One turn: the next runs of the content, about bytesMax of payload. None: nothing of this stream in that stretch of the log, ask again.
   * @throws StreamError CURSOR_EXPIRED, LOG_LOST, LOG_UNAVAILABLE
   */
  async read(bytesMax: number, isWanted: () => boolean): Promise<Run[]> {
    const runs: Run[] = [];
    const turn = { partition: this.entry.partition, from: this.nextOffset, bytesMax: this.scanBytes, isWanted };
    try {
      let isShort = false;
      await this.turns.take(turn, (batch) => { isShort = this.consume(batch, bytesMax, runs); });
      if (isShort) await this.assertNotTruncated();
    } catch (error) {
      if (!(error instanceof StreamError) || error.code !== 'CURSOR_EXPIRED') throw error;
      throw expired(this.entry, this.generation, Number(error.details['start'] ?? 0));
    }
    return runs;
  }

  /** @returns whether the log shows less than what was folded of it once */
  private consume(batch: LogBatch, bytesMax: number, runs: Run[]): boolean {
    // Started over meanwhile: the reader will see that, and what is in the log is not of its content any more.
    if (generationOf(this.entry.state) !== this.generation) return false;
    const folded = this.entry.state.offset;
    let room = bytesMax;
    for (const record of batch.records) {
      if (record.offset > folded) break;
      // Not the beats: they renew leases and never change content [JUDGE-1].
      if (record.key === this.entry.streamNo && record.value !== null) room -= this.fold(record, record.value, runs);
      this.nextOffset = record.offset + 1;
      if (room <= 0) break;
    }
    const isCutShort = room <= 0;
    if (batch.records.length === 0 && batch.nextOffset >= batch.highWatermark && batch.highWatermark <= folded) return true;
    if (!isCutShort) this.nextOffset = Math.max(this.nextOffset, Math.min(batch.nextOffset, folded + 1));
    this.scanBytes = isCutShort
      ? Math.max(SCAN_BYTES_MIN, this.scanBytes / 2)
      : Math.min(SCAN_BYTES_MAX, room > bytesMax / 2 ? this.scanBytes * 2 : this.scanBytes);
    // All the owner folded has gone through our judge too: when it does not know as much, records are missing from the log [WATCH-5].
    if (this.nextOffset > folded && (this.state?.next ?? 0) < this.entry.state.next) throw this.lost();
    return false;
  }

  /**
   * Folded once, and not to be read now: after a change of leader what can be read lags behind the end for a while. Truncated it is only
   * when the log ends before it.
   * @throws StreamError LOG_LOST; LOG_UNAVAILABLE when it is to be asked again
   */
  private async assertNotTruncated(): Promise<void> {
    const { partition, state, streamNo } = this.entry;
    const folded = state.offset;
    if ((await this.turns.bounds(partition)).end <= folded) throw this.lost();
    throw new StreamError('LOG_UNAVAILABLE', { detail: `The log does not show offset ${folded} yet.`, streamNo, retryAfterMs: AGAIN_MS });
  }

  /** @returns payload bytes that it added to the content */
  private fold(record: StoredRecord, value: Buffer, runs: Run[]): number {
    let decoded: LogRecord;
    try {
      // The judge keeps the payloads of held fragments, and they must not pin the batch.
      decoded = decodeRecord(Buffer.from(value));
    } catch {
      return 0; // the fold left it out as a dead letter [OWN-7]
    }
    const judged = judge(this.state, this.entry.streamNo, decoded, record.offset, record.timestamp, crc32);
    this.state = judged.state;
    let bytes = 0;
    for (const effect of judged.effects) if (effect.kind === 'fragments') bytes += this.take(effect, runs);
    return bytes;
  }

  private take(effect: Effect & { kind: 'fragments' }, runs: Run[]): number {
    const { epoch, lane, firstSequence, payloads } = effect;
    const last = firstSequence + payloads.length - 1;
    // An older content, or below the cursor: on the way to it.
    if (epoch < this.generation || last <= this.sequence) return 0;
    if (firstSequence > this.sequence + 1) throw this.lost();
    const parts = payloads.slice(Math.max(0, this.sequence + 1 - firstSequence));
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
    joinRun(runs, { epoch, lane, first: this.sequence + 1, last, parts, bytes });
    this.sequence = last;
    return bytes;
  }

  private lost(): StreamError {
    return new StreamError('LOG_LOST', { streamNo: this.entry.streamNo, sequence: this.sequence });
  }
}
