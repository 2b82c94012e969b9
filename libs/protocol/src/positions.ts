import { freshState } from './fresh-state';
import type { Attempt, OpenFacts, Position, StreamState } from './state';

const POSITIONS_MAX = 64;
/** Offsets between two positions at first; doubles whenever the index is full. */
const STRIDE_MIN = 32;

/**
 * Sparse index of a stream for cold reads: places in the log where nothing was held and no end waited, so that the judge can go
 * on from them with what a position holds. Ascending by offset; the first is the `open` itself. The distance is counted in
 * offsets of the partition, because those are what a cold reader has to read through.
 */
export class PositionIndex {
  private positions: Position[];
  private stride = STRIDE_MIN;

  constructor(initial: readonly Position[] = []) {
    this.positions = initial.map(clonePosition);
    const last = this.positions.at(-1);
    const span = last ? last.offset - this.positions[0]!.offset : 0;
    // As wide as it was when these were taken, or refilling the gaps would thin the older part for nothing.
    while (this.stride * POSITIONS_MAX < span) this.stride *= 2;
    while (this.positions.length >= POSITIONS_MAX) this.thin();
  }

  /** Ascending by offset. */
  get all(): readonly Position[] {
    return this.positions;
  }

  /** Call after each record of the stream. Takes a position when one is due and nothing waits. */
  offer(state: StreamState): void {
    const last = this.positions.at(-1);
    if (state.held.length > 0 || state.pendingEnd !== null || state.final !== null) return;
    if (last === undefined) {
      this.positions = [positionOf(state)]; // exactly one long: most streams never have a second
      return;
    }
    if (state.next < last.next || (state.epoch !== last.epoch && state.next === 1)) this.rewind(state);
    else if (state.offset - last.offset >= this.stride) this.positions.push(positionOf(state));
    if (this.positions.length >= POSITIONS_MAX) this.thin();
  }

  /**
   * @param epoch and sequence of a cursor, resolved (cursor.ts)
   * @returns the greatest position from which (epoch, sequence + 1) can be read; undefined when the log no longer has it (410)
   */
  at(epoch: number, sequence: number): Position | undefined {
    const position = this.positions.findLast((candidate) => candidate.epoch <= epoch && candidate.next <= sequence + 1);
    return position && clonePosition(position);
  }

  /** @param start first offset the log still has: reading from a position begins right behind it */
  dropBelow(start: number): void {
    this.positions = this.positions.filter((position) => position.offset + 1 >= start);
  }

  /** The content started over: what lies before is of use only as the way from the open. The restart itself is the best place to begin. */
  private rewind(state: StreamState): void {
    this.positions = this.positions.filter((position) => position.offset === state.openedOffset);
    this.positions.push(positionOf(state));
    this.stride = STRIDE_MIN;
  }

  private thin(): void {
    this.stride *= 2;
    const open = this.positions[0]!;
    let last = -Infinity;
    this.positions = this.positions.filter((position, index) => {
      // The open, and a restart right after it, stay: they are where reading from the beginning begins.
      const isRestart = index === 1 && position.next === 1 && position.epoch !== open.epoch;
      const isKept = isRestart || position.offset - last >= this.stride;
      if (isKept) last = position.offset;
      return isKept;
    });
  }
}

function positionOf(state: StreamState): Position {
  const { offset, judgedAt, epoch, next, bytes, checksum, numbering, writerRun, writers } = state;
  return clonePosition({ offset, judgedAt, epoch, next, bytes, checksum, numbering, writerRun, writers });
}

function clonePosition(position: Position): Position {
  return { ...position, writers: position.writers.map((writer) => ({ ...writer })) };
}

export interface StreamFacts { streamNo: string; open: OpenFacts; openedAt: number; openedOffset: number }

/**
 * @param attempts of the stream as known now, oldest first
 * @returns a state from which the judge goes on with the records after position.offset; lost or not is unknown there, and never content
 */
export function stateAt(facts: StreamFacts, position: Position, attempts: readonly Attempt[]): StreamState {
  const { streamNo, open, openedAt, openedOffset } = facts;
  const known = attempts.filter((attempt) => attempt.epoch <= position.epoch).map((attempt) => ({ ...attempt }));
  const current = known.at(-1);
  if (current) current.outcome = null;
  return {
    ...freshState(streamNo, open, openedAt, openedOffset),
    ...clonePosition(position),
    attempts: known,
    activityOffset: position.offset,
  };
}
