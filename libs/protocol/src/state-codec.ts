import { isSameJson } from './metadata';
import type { AppendRecord } from './records';
import type { HeldFragment, PublicStatus, StreamState } from './state';
import type { StreamSummary } from './wire';

/** Checkpoints [OWN-3]: the judge's state as JSON. Held fragments are listed by (sequence, offset); their payloads are read again. */
export interface JsonState extends Omit<StreamState, 'held'> {
  v: typeof STATE_VERSION;
  held: Omit<HeldFragment, 'payload'>[];
}

const STATE_VERSION = 1;

/** @returns a value for JSON.stringify; it shares nothing that the judge changes later */
export function encodeState(state: StreamState): JsonState {
  const { held, ...rest } = cloneState(state);
  return { v: STATE_VERSION, ...rest, held: held.map(({ sequence, offset, lane, bytes }) => ({ sequence, offset, lane, bytes })) };
}

/**
 * Takes only what encodeState wrote, and checks the invariants the judge relies on.
 * @returns the state; payloads of held fragments are null until restoreHeld has put them back
 * @throws Error when unreadable: its stream fails, the partition goes on [JUDGE-10]
 */
export function decodeState(json: unknown): StreamState {
  const problem = stateProblem(json);
  if (problem !== null) throw new Error(`Unreadable judge state: ${problem}.`);
  const { v: _v, held, ...rest } = json as JsonState;
  return cloneState({ ...rest, held: held.map(({ sequence, offset, lane, bytes }) => ({ sequence, offset, lane, bytes, payload: null })) });
}

/** Offsets of the records whose payloads a decoded state needs before the judge goes on, ascending. */
export function heldOffsets(state: StreamState): number[] {
  const offsets = state.held.filter((fragment) => fragment.payload === null).map((fragment) => fragment.offset);
  return [...new Set(offsets)].sort((a, b) => a - b);
}

/** Puts back the payloads of held fragments that came in `record`, read again at `offset`. They are kept as they are: copy before. */
export function restoreHeld(state: StreamState, record: AppendRecord, offset: number): void {
  for (const fragment of state.held) {
    if (fragment.offset !== offset || fragment.payload !== null) continue;
    const payload = record.payloads[fragment.sequence - record.firstSeq];
    if (payload?.length === fragment.bytes) fragment.payload = payload;
  }
}

/** @returns a state that shares with the given one only what is never changed: open facts, payloads, final facts, metadata */
export function cloneState(state: StreamState): StreamState {
  return {
    ...state,
    writers: state.writers.map((writer) => ({ ...writer })),
    held: state.held.map((fragment) => ({ ...fragment })),
    pendingEnd: state.pendingEnd && { ...state.pendingEnd, repeatOffsets: [...state.pendingEnd.repeatOffsets] },
    attempts: state.attempts.map((attempt) => ({ ...attempt })),
  };
}

/** Equality of two folds [JUDGE-1]: `lost` is advice, and so is the activity it comes from; held payloads are content of the log. */
export function equalForCheckpoint(a: StreamState, b: StreamState): boolean {
  return isSameJson(comparable(a), comparable(b));
}

function comparable(state: StreamState): JsonState {
  return { ...encodeState(state), isLost: false, activityOffset: 0 };
}

/** What everyone is shown. */
export function publicStatus(state: StreamState): PublicStatus {
  if (state.isDeleted) return 'deleted';
  return state.isLost ? 'lost' : state.status;
}

export function summaryOf(streamNo: string, state: StreamState): StreamSummary {
  const { channel, contentType, merge, class: streamClass, metadata } = state.open;
  return {
    streamNo,
    status: publicStatus(state),
    channel,
    contentType,
    merge,
    class: streamClass,
    epoch: state.epoch,
    sequence: state.next - 1,
    bytes: state.bytes,
    checksum: state.checksum,
    openedAt: state.openedAt,
    updatedAt: state.judgedAt,
    attempts: state.attempts.map((attempt) => ({ ...attempt })),
    final: state.final,
    metadata,
  };
}

type Fields = Record<string, unknown>;
const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isText = (value: unknown): boolean => typeof value === 'string';
const isFlag = (value: unknown): boolean => typeof value === 'boolean';
const isNullOr = (check: (value: unknown) => boolean) => (value: unknown): boolean => value === null || check(value);
const isAbsentOr = (check: (value: unknown) => boolean) => (value: unknown): boolean => value === undefined || check(value);
const isOneOf = (...known: unknown[]) => (value: unknown): boolean => known.includes(value);
const isEach = (shape: Shape) => (value: unknown): boolean => Array.isArray(value) && value.every((one) => misshapen(one, shape) === null);
const isShaped = (shape: Shape) => (value: unknown): boolean => misshapen(value, shape) === null;
type Shape = Record<string, (value: unknown) => boolean>;

const FINAL_STATUSES = ['ended', 'failed', 'cancelled', 'expired'];
const SHAPE: Shape = {
  v: isOneOf(STATE_VERSION),
  streamNo: isText,
  open: isShaped({
    channel: isText, contentType: isText, merge: isOneOf('text', 'bytes', 'json', 'latest'), class: isOneOf('interactive', 'bulk'),
    leaseMs: isCount, ttlMs: isCount, retentionMs: isCount, judgeVersion: isCount, metadata: isObject,
    openedBy: isAbsentOr(isText),
    limits: isShaped({
      heldFragmentsMax: isCount, heldBytesMax: isCount, gapMsMax: isCount, attemptsMax: isCount, fragmentBytesMax: isCount,
      streamBytesMax: isCount,
    }),
  }),
  openedAt: isCount, openedOffset: isCount,
  status: isOneOf('open', ...FINAL_STATUSES), isLost: isFlag, isDeleted: isFlag,
  epoch: isCount, numbering: isOneOf('undecided', 'numbered', 'unnumbered'), next: isCount, bytes: isCount, checksum: isCount,
  writerRun: isText, writers: isEach({ writer: isText, n: isCount }),
  held: isEach({ sequence: isCount, offset: isCount, lane: isText, bytes: isCount }), heldBytes: isCount, gapSince: isNullOr(isCount),
  pendingEnd: isNullOr(isShaped({
    lastSeq: isCount, checksum: isNullOr(isCount), digest: isText, metadata: isObject, offset: isCount,
    repeatOffsets: (value) => Array.isArray(value) && value.every(isCount),
  })),
  attempts: isEach({
    epoch: isCount, attemptId: isText, firstSequence: isCount, keep: isOneOf('all', 'none'), reason: isText, startedAt: isCount,
    outcome: isOneOf(null, 'superseded', ...FINAL_STATUSES),
  }),
  final: isNullOr(isShaped({
    status: isOneOf(...FINAL_STATUSES), reason: isText, message: isText, epoch: isCount, sequence: isCount, bytes: isCount,
    checksum: isCount, digest: isText, metadata: isObject, at: isCount, offset: isCount,
  })),
  judgedAt: isCount, offset: isCount, activityOffset: isCount,
};

/** @returns the first field that is not as the shape says, or null */
function misshapen(value: unknown, shape: Shape): string | null {
  if (!isObject(value)) return 'not an object';
  for (const [field, check] of Object.entries(shape)) if (!check(value[field])) return field;
  return null;
}

function stateProblem(json: unknown): string | null {
  const problem = misshapen(json, SHAPE);
  if (problem !== null) return problem;
  const { held, next, pendingEnd, status, final, attempts } = json as JsonState;
  if (held.some((fragment, index) => fragment.sequence <= (held[index - 1]?.sequence ?? next))) return 'held is not ascending above next';
  if (pendingEnd && next > pendingEnd.lastSeq) return 'an end waits for nothing';
  if ((status === 'open') !== (final === null)) return 'status and final disagree';
  return attempts.length === 0 || next < 1 ? 'no attempt' : null;
}
