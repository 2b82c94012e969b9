import { StreamError } from './errors';
import type { Attempt } from './state';

/** [WATCH-2] `epoch.sequence`, or `epoch.sequence.f` for the final event. Opaque to applications; it is the SSE id. */
export interface Cursor { epoch: number; sequence: number; isFinal: boolean }

export function formatCursor(epoch: number, sequence: number): string {
  return `${epoch}.${sequence}`;
}

export function formatFinalCursor(epoch: number, sequence: number): string {
  return `${epoch}.${sequence}.f`;
}

/** @returns below, at or above 0: which of two cursors is further in its stream. A newer epoch is, wherever it stands; so is the end. */
export function compareCursors(a: Cursor, b: Cursor): number {
  return a.epoch - b.epoch || a.sequence - b.sequence || Number(a.isFinal) - Number(b.isFinal);
}

const SHAPE = /^([1-9][0-9]{0,15})\.(0|[1-9][0-9]{0,15})(\.f)?$/;

/** @throws StreamError CURSOR_INVALID */
export function parseCursor(text: string): Cursor {
  const parts = SHAPE.exec(text);
  const epoch = Number(parts?.[1]);
  const sequence = Number(parts?.[2]);
  if (!parts || !Number.isSafeInteger(epoch) || !Number.isSafeInteger(sequence)) {
    throw new StreamError('CURSOR_INVALID', { detail: `${JSON.stringify(text.slice(0, 60))} is not a cursor.` });
  }
  return { epoch, sequence, isFinal: parts[3] !== undefined };
}

export interface ResolvedCursor {
  /** The current epoch: its content goes on where the cursor's ended, or starts over. */
  epoch: number;
  /** Read on after this one. */
  sequence: number;
  /** What the reader has is void: it is told `rewind` and starts at sequence 0. */
  needsRewind: boolean;
}

/**
 * [WATCH-2] An old cursor resolves through the attempts: after `keep: all` the content went on, so the same sequence holds; after
 * `keep: none` it started over.
 * @param attempts of the stream, oldest first
 * @param next the sequence the judge accepts next
 * @throws StreamError CURSOR_UNKNOWN when the cursor is ahead of the fold
 */
export function resolveCursor(cursor: Cursor, attempts: readonly Attempt[], next: number): ResolvedCursor {
  const epoch = attempts.at(-1)?.epoch ?? 1;
  const ahead = (): never => {
    throw new StreamError('CURSOR_UNKNOWN', { epoch, sequence: next - 1 });
  };
  if (cursor.epoch > epoch) return ahead();
  const later = attempts.filter((attempt) => attempt.epoch > cursor.epoch);
  if (later.some((attempt) => attempt.keep === 'none')) return { epoch, sequence: 0, needsRewind: true };
  // The next attempt started where the cursor's epoch ended: nothing beyond was ever given out under that epoch.
  const end = later[0]?.firstSequence ?? next;
  return cursor.sequence >= end ? ahead() : { epoch, sequence: cursor.sequence, needsRewind: false };
}
