import type { ErrorCode } from './errors';
import type { Effect, FinalFacts, PendingEnd, StreamState, VerdictKind } from './state';

/** How streams become final, and how a record is answered: what all branches of the judge share. */

export function refuse(effects: Effect[], record: string, code: ErrorCode, fragments = 0): void {
  effects.push({ kind: 'refused', record, code, fragments });
}

/** Refuses a record that asks for a verdict [APPEND-1]. */
export function refuseWithVerdict(effects: Effect[], offset: number, kind: VerdictKind, code: ErrorCode): void {
  refuse(effects, kind, code);
  effects.push({ kind: 'verdict', verdict: { offset, kind, outcome: 'refused', code } });
}

export function acceptWithVerdict(effects: Effect[], offset: number, kind: VerdictKind): void {
  effects.push({ kind: 'verdict', verdict: { offset, kind, outcome: 'accepted' } });
}

/** A sign of life from the producer of the current epoch. [JUDGE-8] It brings a lost stream back. */
export function touch(state: StreamState, offset: number, effects: Effect[]): void {
  if (offset > state.activityOffset) state.activityOffset = offset;
  if (!state.isLost) return;
  state.isLost = false;
  effects.push({ kind: 'resumed' });
}

/** The stream fails for a rule of the protocol. The reason is the code alone: texts may change, replays may not [JUDGE-10]. */
export function fail(state: StreamState, code: ErrorCode, effects: Effect[]): void {
  finish(state, { status: 'failed', reason: code, message: '' }, code, effects);
}

/**
 * [JUDGE-1] The one way out of `open`. What waits (held fragments, an end) has no future; a waiting end is answered.
 * @param code what an end that waits is told
 */
export function finish(
  state: StreamState, how: Pick<FinalFacts, 'status' | 'reason' | 'message'>, code: ErrorCode, effects: Effect[],
): void {
  const end = state.pendingEnd;
  const isEnded = how.status === 'ended';
  state.status = how.status;
  state.final = {
    ...how,
    epoch: state.epoch,
    sequence: state.next - 1,
    bytes: state.bytes,
    checksum: state.checksum,
    digest: isEnded && end ? end.digest : '',
    metadata: isEnded && end ? end.metadata : {},
    at: state.judgedAt,
    offset: state.offset,
  };
  const attempt = state.attempts.at(-1);
  if (attempt) attempt.outcome = how.status;
  state.isLost = false;
  state.writers = [];
  dropWaiting(state);
  effects.push({ kind: 'final', final: state.final });
  answerEnd(end, isEnded ? null : code, effects);
}

/** Clears what was held and the end that waited. */
export function dropWaiting(state: StreamState): void {
  state.held = [];
  state.heldBytes = 0;
  state.gapSince = null;
  state.pendingEnd = null;
}

/** Gives an end that waited, and its repeats, their verdict. @param code null: accepted */
export function answerEnd(end: PendingEnd | null, code: ErrorCode | null, effects: Effect[]): void {
  if (!end) return;
  for (const offset of [end.offset, ...end.repeatOffsets]) {
    if (code === null) acceptWithVerdict(effects, offset, 'end');
    else refuseWithVerdict(effects, offset, 'end', code);
  }
}

/**
 * [JUDGE-7] Called after whatever may have moved `next`: seals the stream once nothing is missing below its end, and keeps the
 * age of the hole. The age starts anew with each hole, or a slow but healthy producer would fail for the sum of its holes.
 */
export function settle(state: StreamState, hasAdvanced: boolean, effects: Effect[]): void {
  const end = state.pendingEnd;
  if (end && state.next > end.lastSeq) {
    if (end.checksum !== null && end.checksum !== state.checksum) fail(state, 'CHECKSUM_MISMATCH', effects);
    else finish(state, { status: 'ended', reason: '', message: '' }, 'STREAM_FINAL', effects);
    return;
  }
  if (!end && state.held.length === 0) state.gapSince = null;
  else if (hasAdvanced || state.gapSince === null) state.gapSince = state.judgedAt;
}

/**
 * For the owner, where no record can speak [OWN-5] [JUDGE-10]: records or the state of a stream are gone, so it fails.
 * @returns the effects; none when the stream is final already
 */
export function failState(state: StreamState, code: ErrorCode): Effect[] {
  const effects: Effect[] = [];
  if (!state.final) fail(state, code, effects);
  return effects;
}
