import type { ErrorCode } from './errors';
import { fail, refuse, settle, touch } from './judge-final';
import type { AppendRecord } from './records';
import type { Crc32, Effect, HeldFragment, StreamState } from './state';

const WRITERS_MAX = 8;

/**
 * The hot path: one `fragments` effect per run of consecutive fragments, nothing allocated per fragment. A record is judged as if
 * its fragments had come one by one, so that packing never changes content.
 */
export function judgeAppend(state: StreamState, record: AppendRecord, crc32: Crc32, effects: Effect[]): void {
  const count = record.payloads.length;
  const isNumbered = record.firstSeq >= 1;
  // [JUDGE-4] A lower epoch is fenced: a producer that woke after a retry took over. A higher one was never started.
  if (record.epoch !== state.epoch) {
    return refuse(effects, 'append', record.epoch < state.epoch ? 'STALE_EPOCH' : 'EPOCH_UNKNOWN', count);
  }
  if (state.final) {
    // A resend that crossed the end is a duplicate like any other, not a producer that writes on.
    const isRepeat = isNumbered && state.numbering === 'numbered' && record.firstSeq + count <= state.next;
    if (isRepeat && !state.isDeleted) effects.push({ kind: 'duplicate', fragments: count });
    else refuse(effects, 'append', state.isDeleted ? 'STREAM_GONE' : 'STREAM_FINAL', count);
    return;
  }
  // [JUDGE-11] Before anything that changes the stream: a writer without the right to write must not even be able to fail it.
  if (record.writerRun !== '') {
    if (state.writerRun === '') state.writerRun = record.writerRun;
    else if (state.writerRun !== record.writerRun) return refuse(effects, 'append', 'WRITER_CONFLICT', count);
  }
  touch(state, state.offset, effects);
  if (count === 0) return;
  const numbering = isNumbered ? 'numbered' : 'unnumbered';
  if (state.numbering === 'undecided') state.numbering = numbering;
  // [JUDGE-4] Two ways of counting cannot be merged without guessing.
  if (state.numbering !== numbering) return failAppend(state, 'NUMBERING_MIXED', count, effects);
  const nextBefore = state.next;
  const code = isNumbered ? appendNumbered(state, record, crc32, effects) : appendUnnumbered(state, record, crc32, effects);
  if (code === null) return settle(state, state.next !== nextBefore, effects);
  // What was accepted of this record stands; the rest of it is refused with the stream.
  const taken = isNumbered ? Math.max(0, state.next - record.firstSeq) : state.next - nextBefore;
  failAppend(state, code, Math.max(0, count - taken), effects);
}

function failAppend(state: StreamState, code: ErrorCode, fragments: number, effects: Effect[]): void {
  refuse(effects, 'append', code, fragments);
  fail(state, code, effects);
}

/** @returns why the stream fails, or null */
function appendNumbered(state: StreamState, record: AppendRecord, crc32: Crc32, effects: Effect[]): ErrorCode | null {
  const { firstSeq, payloads, lane } = record;
  const count = payloads.length;
  // Beyond 2^53 sequences cannot be told apart; nothing that far ahead is ever reached.
  if (!Number.isSafeInteger(firstSeq + count)) return 'GAP_TOO_LARGE';
  if (state.pendingEnd && firstSeq + count - 1 > state.pendingEnd.lastSeq) return 'END_MISMATCH';
  // [JUDGE-5] Below next: duplicates. The pack is trimmed.
  let index = firstSeq < state.next ? Math.min(count, state.next - firstSeq) : 0;
  let duplicates = index;
  while (index < count && firstSeq + index === state.next) {
    // A sequence that is held already came first and wins: else content would depend on how resends were packed.
    const heldFirst = state.held[0];
    const end = heldFirst === undefined ? count : Math.min(count, heldFirst.sequence - firstSeq);
    const code = accept(state, payloads, index, end, lane, crc32, effects) ?? release(state, crc32, effects);
    if (code !== null) return code;
    index = Math.min(count, state.next - firstSeq);
    duplicates += index - end;
  }
  let code: ErrorCode | null = null;
  for (; index < count && code === null; index++) {
    const payload = payloads[index]!;
    const bytes = payload.length;
    if (hold(state, { sequence: firstSeq + index, offset: state.offset, lane, payload, bytes })) code = heldProblem(state, bytes);
    else duplicates += 1;
  }
  if (duplicates > 0) effects.push({ kind: 'duplicate', fragments: duplicates });
  return code;
}

/**
 * [JUDGE-4] The judge numbers on acceptance and drops what it has of this writer. n may have holes (one counter serves many
 * streams), so only "not above the last" means duplicate.
 */
function appendUnnumbered(state: StreamState, record: AppendRecord, crc32: Crc32, effects: Effect[]): ErrorCode | null {
  const { payloads, writer, n } = record;
  const count = payloads.length;
  const { writers } = state;
  const place = writers.findLastIndex((known) => known.writer === writer);
  const known = place < 0 ? undefined : writers[place];
  const skip = known && known.n >= n ? Math.min(count, known.n - n + 1) : 0;
  if (state.pendingEnd && state.next + count - skip - 1 > state.pendingEnd.lastSeq) return 'END_MISMATCH';
  const last = Math.min(n + count - 1, Number.MAX_SAFE_INTEGER);
  if (known) {
    known.n = Math.max(known.n, last);
    if (place !== writers.length - 1) writers.push(...writers.splice(place, 1)); // the most recent is last
  } else {
    writers.push({ writer, n: last });
    if (writers.length > WRITERS_MAX) writers.shift();
  }
  if (skip > 0) effects.push({ kind: 'duplicate', fragments: skip });
  return skip < count ? accept(state, payloads, skip, count, record.lane, crc32, effects) : null;
}

/**
 * Makes payloads[from..to) part of the content. Limits are checked per fragment: what fits is accepted, then the stream fails
 * [JUDGE-10]. Failing is the only safe answer to a fragment that is durable and acknowledged but cannot be taken.
 */
function accept(
  state: StreamState, payloads: Uint8Array[], from: number, to: number, lane: string, crc32: Crc32, effects: Effect[],
): ErrorCode | null {
  const { fragmentBytesMax, streamBytesMax } = state.open.limits;
  let { bytes, checksum } = state;
  let code: ErrorCode | null = null;
  let index = from;
  for (; index < to; index++) {
    const payload = payloads[index]!;
    const size = payload.length;
    if (size > fragmentBytesMax) { code = 'FRAGMENT_TOO_LARGE'; break; }
    if (streamBytesMax > 0 && bytes + size > streamBytesMax) { code = 'STREAM_TOO_LARGE'; break; }
    bytes += size;
    checksum = crc32(payload, checksum);
  }
  if (index === from) return code;
  const accepted = index - from === payloads.length ? payloads : payloads.slice(from, index);
  effects.push({ kind: 'fragments', epoch: state.epoch, lane, firstSequence: state.next, payloads: accepted });
  state.bytes = bytes;
  state.checksum = checksum;
  state.next += index - from;
  return code;
}

/** Lets out what was held and is next now, in runs of one lane. */
function release(state: StreamState, crc32: Crc32, effects: Effect[]): ErrorCode | null {
  const { held } = state;
  let released = 0;
  let sequence = state.next;
  let code: ErrorCode | null = null;
  while (code === null && held[released]?.sequence === sequence) {
    const { lane } = held[released]!;
    const run: Uint8Array[] = [];
    for (; held[released]?.sequence === sequence && held[released]!.lane === lane; released++, sequence++) {
      const { payload, bytes } = held[released]!;
      // Only a checkpoint whose held fragments could not be read again comes here [OWN-5].
      if (payload === null) { code = 'LOG_LOST'; break; }
      run.push(payload);
      state.heldBytes -= bytes;
    }
    code = accept(state, run, 0, run.length, lane, crc32, effects) ?? code;
  }
  if (released > 0) held.splice(0, released);
  return code;
}

/** Keeps a fragment that came too early, in order of sequence. @returns false when it is held already */
function hold(state: StreamState, fragment: HeldFragment): boolean {
  const { held } = state;
  let place = held.length;
  while (place > 0 && held[place - 1]!.sequence > fragment.sequence) place -= 1;
  if (place > 0 && held[place - 1]!.sequence === fragment.sequence) return false;
  if (place === held.length) held.push(fragment);
  else held.splice(place, 0, fragment);
  state.heldBytes += fragment.bytes;
  return true;
}

/** [JUDGE-5] What is held is bounded, and a stream that would exceed the bounds fails: nothing that was held disappears silently. */
function heldProblem(state: StreamState, bytes: number): ErrorCode | null {
  const { heldFragmentsMax, heldBytesMax, fragmentBytesMax } = state.open.limits;
  if (bytes > fragmentBytesMax) return 'FRAGMENT_TOO_LARGE';
  return state.held.length > heldFragmentsMax || state.heldBytes > heldBytesMax ? 'GAP_TOO_LARGE' : null;
}
