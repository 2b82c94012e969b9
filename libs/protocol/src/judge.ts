import type { ErrorCode } from './errors';
import { freshState } from './fresh-state';
import { judgeAppend } from './judge-append';
import {
  acceptWithVerdict, answerEnd, dropWaiting, fail, finish, refuse, refuseWithVerdict, settle, touch,
} from './judge-final';
import { isSameJson } from './metadata';
import type { AbortRecord, BeatRecord, CancelRecord, EndRecord, GapRecord, LapseRecord, LogRecord, OpenRecord, RetryRecord } from './records';
import type { Crc32, Effect, FinalFacts, PendingEnd, StreamState } from './state';

/** Version of these rules; `open` names the one a stream is judged by [JUDGE-10]. */
export const JUDGE_VERSION = 1;

const REPEATS_MAX = 8;

export interface Judgement { state: StreamState | undefined; effects: Effect[] }

/**
 * The only authority on what a stream is: a pure fold over the records of its key, in offset order. It reads no clock, no
 * configuration, nothing but its arguments; it is total, so no record can stop a partition.
 *
 *     (none) ── open ──► open ⇄ lost ── end | failure | cancel | expire ──► final ── delete ──► deleted
 *
 * @param state consumed: the judge changes it and gives it back; undefined before the `open`
 * @param record for a `beat`: only this stream's entry of it. Payloads of fragments that come too early are kept as they are: the caller
 *   copies the record's bytes first when they are a view of something larger
 * @param offset of the record; at or below `state.offset` the record is ignored, so folding again is harmless
 * @param timestamp broker time of the record, ms
 */
export function judge(
  state: StreamState | undefined, streamNo: string, record: LogRecord, offset: number, timestamp: number, crc32: Crc32,
): Judgement {
  const effects: Effect[] = [];
  if (state === undefined) return { state: judgeUnknown(streamNo, record, offset, timestamp, effects), effects };
  if (!(offset > state.offset)) return { state, effects };
  if (record.kind === 'beat') {
    judgeBeat(state, record, offset, effects);
    return { state, effects };
  }
  // [JUDGE-3] Time is what the log says and never goes back, whatever the clocks of brokers do.
  state.judgedAt = Math.max(state.judgedAt, safeTime(timestamp));
  state.offset = offset;
  switch (record.kind) {
    case 'append': judgeAppend(state, record, crc32, effects); break;
    case 'open': judgeSecondOpen(state, effects); break;
    case 'end': judgeEnd(state, record, effects); break;
    case 'abort': judgeAbort(state, record, effects); break;
    case 'retry': judgeRetry(state, record, effects); break;
    case 'cancel': judgeCancel(state, record, effects); break;
    case 'lapse': judgeLapse(state, record, effects); break;
    case 'gap': judgeGap(state, record, effects); break;
    case 'expire': judgeExpire(state, effects); break;
    case 'delete': judgeDelete(state, effects); break;
  }
  return { state, effects };
}

/** [JUDGE-2] Only an `open` creates. Anything else of an unknown stream is refused. */
function judgeUnknown(
  streamNo: string, record: LogRecord, offset: number, timestamp: number, effects: Effect[],
): StreamState | undefined {
  switch (record.kind) {
    case 'open': {
      const { kind: _kind, ...open } = record satisfies OpenRecord;
      effects.push({ kind: 'opened' });
      acceptWithVerdict(effects, offset, 'open');
      return freshState(streamNo, open, safeTime(timestamp), offset);
    }
    case 'end': case 'abort': case 'cancel':
      refuseWithVerdict(effects, offset, record.kind, 'STREAM_NOT_FOUND');
      return undefined;
    case 'retry':
      refuseRetry(effects, offset, record, 'STREAM_NOT_FOUND');
      return undefined;
    default:
      refuse(effects, record.kind, 'STREAM_NOT_FOUND', record.kind === 'append' ? record.payloads.length : 0);
      return undefined;
  }
}

/** [JUDGE-2] A second `open` changes nothing: the answer to an idempotent open is the stream that is there. */
function judgeSecondOpen(state: StreamState, effects: Effect[]): void {
  effects.push({ kind: 'duplicate', fragments: 0 });
  acceptWithVerdict(effects, state.offset, 'open');
}

/** [JUDGE-7] An end names the last sequence, or takes what is there; it may overtake fragments and then waits for them. */
function judgeEnd(state: StreamState, record: EndRecord, effects: Effect[]): void {
  const { offset } = state;
  const stale = epochProblem(state, record.epoch);
  if (stale) return refuseWithVerdict(effects, offset, 'end', stale);
  if (state.final) {
    return isSameEnd(state.final, record) && !state.isDeleted
      ? acceptWithVerdict(effects, offset, 'end')
      : refuseWithVerdict(effects, offset, 'end', finalCode(state));
  }
  if (isAnotherRun(state, record)) return refuseWithVerdict(effects, offset, 'end', 'WRITER_CONFLICT');
  touch(state, offset, effects);
  if (state.pendingEnd) return judgeSecondEnd(state.pendingEnd, record, offset, effects);
  const lastSeq = record.lastSeq ?? state.next - 1;
  const isHeldAbove = state.held.length > 0 && (record.lastSeq === null || state.held.at(-1)!.sequence > lastSeq);
  if (isHeldAbove || lastSeq < state.next - 1) {
    fail(state, 'END_MISMATCH', effects);
    return refuseWithVerdict(effects, offset, 'end', 'END_MISMATCH');
  }
  const { checksum, digest, metadata } = record;
  state.pendingEnd = { lastSeq, checksum, digest, metadata, offset, repeatOffsets: [] };
  settle(state, false, effects);
  if (state.pendingEnd) effects.push({ kind: 'verdict', verdict: { offset, kind: 'end', outcome: 'pending' } });
}

/** The first end stands. The same once more waits with it; another one is refused and changes nothing. */
function judgeSecondEnd(end: PendingEnd, record: EndRecord, offset: number, effects: Effect[]): void {
  const isSame = record.lastSeq === end.lastSeq && record.checksum === end.checksum && record.digest === end.digest
    && isSameJson(record.metadata, end.metadata);
  if (!isSame) return refuseWithVerdict(effects, offset, 'end', 'END_MISMATCH');
  end.repeatOffsets.push(offset);
  if (end.repeatOffsets.length > REPEATS_MAX) end.repeatOffsets.shift();
  effects.push({ kind: 'verdict', verdict: { offset, kind: 'end', outcome: 'pending' } });
}

function judgeAbort(state: StreamState, record: AbortRecord, effects: Effect[]): void {
  const { offset, final } = state;
  const stale = epochProblem(state, record.epoch);
  if (stale) return refuseWithVerdict(effects, offset, 'abort', stale);
  if (final) {
    const isSame = final.status === 'failed' && final.reason === record.code && final.message === record.message;
    return isSame && !state.isDeleted
      ? acceptWithVerdict(effects, offset, 'abort')
      : refuseWithVerdict(effects, offset, 'abort', finalCode(state));
  }
  if (isAnotherRun(state, record)) return refuseWithVerdict(effects, offset, 'abort', 'WRITER_CONFLICT');
  finish(state, { status: 'failed', reason: record.code, message: record.message }, 'STREAM_FINAL', effects);
  acceptWithVerdict(effects, offset, 'abort');
}

/** [JUDGE-9] A cancel ends any stream that is not final, whatever the epoch: it is the readers' and operators' word, not the producer's. */
function judgeCancel(state: StreamState, record: CancelRecord, effects: Effect[]): void {
  const { offset, final } = state;
  if (final) {
    // Who asks is no argument of the call: a second stop button gets the same answer.
    return final.status === 'cancelled' && final.reason === record.reason && !state.isDeleted
      ? acceptWithVerdict(effects, offset, 'cancel')
      : refuseWithVerdict(effects, offset, 'cancel', finalCode(state));
  }
  finish(state, { status: 'cancelled', reason: record.reason, message: '' }, 'STREAM_FINAL', effects);
  acceptWithVerdict(effects, offset, 'cancel');
}

/** [JUDGE-6] A new attempt takes over iff it is the next one; the same record again is the same attempt. */
function judgeRetry(state: StreamState, record: RetryRecord, effects: Effect[]): void {
  const { offset } = state;
  if (state.final) return refuseRetry(effects, offset, record, finalCode(state));
  if (!(record.epoch > state.epoch)) {
    const won = state.attempts.find((attempt) => attempt.epoch === record.epoch);
    const isMine = record.epoch > 1 && won?.attemptId === record.attemptId;
    if (!isMine) return refuseRetry(effects, offset, record, 'RETRY_CONFLICT');
    if (record.epoch === state.epoch) touch(state, offset, effects);
    return acceptRetry(effects, offset, record);
  }
  if (record.epoch !== state.epoch + 1) return refuseRetry(effects, offset, record, 'EPOCH_UNKNOWN');
  if (state.attempts.length >= state.open.limits.attemptsMax) {
    fail(state, 'ATTEMPTS_EXHAUSTED', effects);
    return refuseRetry(effects, offset, record, 'ATTEMPTS_EXHAUSTED');
  }
  touch(state, offset, effects);
  answerEnd(state.pendingEnd, 'STALE_EPOCH', effects);
  dropWaiting(state);
  const { epoch, attemptId, keep, reason } = record;
  const current = state.attempts.at(-1);
  if (current) current.outcome = 'superseded';
  if (keep === 'none') {
    state.next = 1;
    state.bytes = 0;
    state.checksum = 0;
    state.numbering = 'undecided';
  }
  state.epoch = epoch;
  // Resends of the old epoch are fenced by it, so what was known of its writers is of no use and must not drop the new one's.
  state.writerRun = '';
  state.writers = [];
  state.attempts.push({ epoch, attemptId, firstSequence: state.next, keep, reason, outcome: null, startedAt: state.judgedAt });
  effects.push({ kind: 'attempt', epoch, keep });
  acceptRetry(effects, offset, record);
}

/** A beat is not a record of the stream's key: cold reads do not see it and replays skip it, so it moves neither time nor offset. */
function judgeBeat(state: StreamState, record: BeatRecord, offset: number, effects: Effect[]): void {
  const beating = record.streams.find((stream) => stream.no === state.streamNo);
  if (!beating || state.final) return; // a beat that crosses the end is no news
  const stale = epochProblem(state, beating.epoch);
  if (stale) refuse(effects, 'beat', stale);
  else touch(state, offset, effects);
}

/** [JUDGE-3] The owner saw no sign of life; true only if none came between what it saw and this record. */
function judgeLapse(state: StreamState, record: LapseRecord, effects: Effect[]): void {
  const isTrue = !state.final && record.epoch === state.epoch && state.activityOffset <= record.activityOffset;
  if (!isTrue || state.isLost) return;
  state.isLost = true;
  effects.push({ kind: 'lost' });
}

/** [JUDGE-3] [JUDGE-5] The owner saw a hole grow too old; true only if the same sequence is still missing. */
function judgeGap(state: StreamState, record: GapRecord, effects: Effect[]): void {
  const isMissing = state.held.length > 0 || state.pendingEnd !== null;
  if (state.final || !isMissing || record.epoch !== state.epoch || record.next !== state.next) return;
  fail(state, 'GAP_TIMEOUT', effects);
}

/** [JUDGE-3] By the log's own time, which includes this record's. */
function judgeExpire(state: StreamState, effects: Effect[]): void {
  if (state.final || state.judgedAt < state.openedAt + state.open.ttlMs) return;
  finish(state, { status: 'expired', reason: '', message: '' }, 'STREAM_FINAL', effects);
}

/** [JUDGE-3] [JUDGE-1] Only a final stream is deleted, and not before its retention has passed. */
function judgeDelete(state: StreamState, effects: Effect[]): void {
  if (!state.final || state.isDeleted || state.judgedAt < state.final.at + state.open.retentionMs) return;
  state.isDeleted = true;
  effects.push({ kind: 'deleted' });
}

function acceptRetry(effects: Effect[], offset: number, { attemptId }: RetryRecord): void {
  effects.push({ kind: 'verdict', verdict: { offset, kind: 'retry', outcome: 'accepted', attemptId } });
}

function refuseRetry(effects: Effect[], offset: number, { attemptId }: RetryRecord, code: ErrorCode): void {
  refuse(effects, 'retry', code);
  effects.push({ kind: 'verdict', verdict: { offset, kind: 'retry', outcome: 'refused', code, attemptId } });
}

function epochProblem(state: StreamState, epoch: number): ErrorCode | null {
  if (epoch === state.epoch) return null;
  return epoch < state.epoch ? 'STALE_EPOCH' : 'EPOCH_UNKNOWN';
}

/** [JUDGE-11] A producer without memory neither seals nor gives up what another run writes. One that names no run is taken at its word. */
function isAnotherRun(state: StreamState, { writerRun = '' }: EndRecord | AbortRecord): boolean {
  return writerRun !== '' && state.writerRun !== '' && writerRun !== state.writerRun;
}

function finalCode(state: StreamState): ErrorCode {
  return state.isDeleted ? 'STREAM_GONE' : 'STREAM_FINAL';
}

/** [APPEND-4] The same arguments, as far as they were given. */
function isSameEnd(final: FinalFacts, record: EndRecord): boolean {
  return final.status === 'ended'
    && (record.lastSeq === null || record.lastSeq === final.sequence)
    && (record.checksum === null || record.checksum === final.checksum)
    && record.digest === final.digest
    && isSameJson(record.metadata, final.metadata);
}

function safeTime(timestamp: number): number {
  return Number.isSafeInteger(timestamp) && timestamp >= 0 ? timestamp : 0;
}
