/** Consecutive fragments of one lane and epoch, on their way from a view or the log to a session. */
export interface Run {
  epoch: number;
  lane: string;
  /** First and last sequence, inclusive. */
  first: number;
  last: number;
  /** One part per fragment when read exactly, else fewer, larger ones: the same bytes. Never changed: shared by all sessions. */
  parts: Uint8Array[];
  bytes: number;
}

/** Adds a run; one that only goes on where the last ended, in its lane and epoch, makes that one longer. */
export function joinRun(runs: Run[], run: Run): void {
  const previous = runs.at(-1);
  if (previous === undefined || previous.epoch !== run.epoch || previous.lane !== run.lane) {
    runs.push(run);
    return;
  }
  for (const part of run.parts) previous.parts.push(part);
  previous.last = run.last;
  previous.bytes += run.bytes;
}

/**
 * [WATCH-3] `latest` keeps the newest fragment per lane of each epoch. What is left stays in order and without a hole: each run covers, by
 * `first`, those that were superseded before it.
 * @param runs consecutive, read exactly
 */
export function newestPerLane(runs: readonly Run[]): Run[] {
  const newest = new Map<string, Run>();
  // A later run of the same lane takes the place at the end: the map is in order of the newest.
  for (const run of runs) {
    const key = `${run.epoch}:${run.lane}`;
    newest.delete(key);
    newest.set(key, run);
  }
  let first = runs[0]?.first ?? 0;
  return [...newest.values()].map((run) => {
    const part = run.parts.at(-1)!;
    const covering = { ...run, first, parts: [part], bytes: part.byteLength };
    first = run.last + 1;
    return covering;
  });
}

/** Where a read stops; a first fragment larger than bytesMax is still read, alone. */
export interface ReadLimit {
  bytesMax: number;
  /** Last sequence wanted. */
  last: number;
  /** One part per fragment: what JSON items need. */
  isExact: boolean;
}

/** A segment is sealed (its fragments become one block) when it reaches one of these. */
export const SEGMENT_FRAGMENTS_MAX = 64;
export const SEGMENT_BYTES_MAX = 64 * 1024;
/** Heap a fragment costs beside its bytes while it is an own Uint8Array: the object, its slot, its share of a slab. */
const LOOSE_OVERHEAD_BYTES = 128;
/** Heap a sealed segment costs beside its bytes: object, block, array of ends. */
const SEGMENT_OVERHEAD_BYTES = 512;
const MARK_OVERHEAD_BYTES = 64;
const END_BYTES = 4;

/** From `sequence` on, fragments have this lane and epoch. */
interface Mark { sequence: number; epoch: number; lane: string }

/**
 * A stretch of a view: loose fragments while it grows, one block once sealed, so that a small fragment costs 4 bytes instead of 128.
 * Eviction drops whole segments.
 */
export class ViewSegment {
  private loose: Uint8Array[] | null = [];
  private block: Buffer | null = null;
  private ends: Uint32Array | null = null;
  private readonly marks: Mark[] = [];
  private count = 0;
  /** Nothing more may be appended. */
  isSealed = false;
  /** Payload bytes. */
  bytes = 0;
  /** What it is counted as under the cap of the cache. */
  cost = SEGMENT_OVERHEAD_BYTES;

  constructor(readonly first: number) {}

  get next(): number {
    return this.first + this.count;
  }

  append(epoch: number, lane: string, payload: Uint8Array): void {
    const mark = this.marks.at(-1);
    if (mark?.epoch !== epoch || mark.lane !== lane) {
      this.marks.push({ sequence: this.next, epoch, lane });
      this.cost += MARK_OVERHEAD_BYTES + 2 * lane.length;
    }
    this.loose!.push(payload);
    this.count += 1;
    this.bytes += payload.byteLength;
    this.cost += payload.byteLength + LOOSE_OVERHEAD_BYTES;
    if (this.count >= SEGMENT_FRAGMENTS_MAX || this.bytes >= SEGMENT_BYTES_MAX) this.seal();
  }

  /** One copy per fragment in its life; large fragments stay as they are: copying them would gain nothing. */
  private seal(): void {
    this.isSealed = true;
    if (this.bytes / this.count > SEGMENT_BYTES_MAX / 4) return;
    const block = Buffer.allocUnsafeSlow(this.bytes);
    const ends = new Uint32Array(this.count);
    let end = 0;
    for (const [index, payload] of this.loose!.entries()) {
      block.set(payload, end);
      end += payload.byteLength;
      ends[index] = end;
    }
    this.block = block;
    this.ends = ends;
    this.loose = null;
    this.cost += this.count * (END_BYTES - LOOSE_OVERHEAD_BYTES);
  }

  sizeOf(sequence: number): number {
    const index = sequence - this.first;
    if (this.loose !== null) return this.loose[index]!.byteLength;
    return this.ends![index]! - (index === 0 ? 0 : this.ends![index - 1]!);
  }

  /**
   * The run that starts at `from`, as far as lane, epoch and limit allow; null when nothing fits.
   * @param room bytes left; a first fragment larger than that is read all the same when `mustRead`
   */
  run(from: number, room: number, limit: ReadLimit, mustRead: boolean): Run | null {
    const mark = this.markAt(from);
    const stop = Math.min(this.markEnd(mark), limit.last + 1);
    let bytes = 0;
    let at = from;
    for (; at < stop; at += 1) {
      const size = this.sizeOf(at);
      if (bytes + size > room && !(mustRead && at === from)) break;
      bytes += size;
    }
    if (at === from) return null;
    const { epoch, lane } = this.marks[mark]!;
    return { epoch, lane, first: from, last: at - 1, parts: this.parts(from, at, limit.isExact), bytes };
  }

  private parts(from: number, to: number, isExact: boolean): Uint8Array[] {
    if (this.loose !== null) return this.loose.slice(from - this.first, to - this.first);
    const start = (sequence: number) => (sequence === this.first ? 0 : this.ends![sequence - this.first - 1]!);
    if (!isExact) return [this.block!.subarray(start(from), start(to))];
    return Array.from({ length: to - from }, (_, index) => this.block!.subarray(start(from + index), start(from + index + 1)));
  }

  private markAt(sequence: number): number {
    let index = this.marks.length - 1;
    while (index > 0 && this.marks[index]!.sequence > sequence) index -= 1;
    return index;
  }

  private markEnd(index: number): number {
    return this.marks[index + 1]?.sequence ?? this.next;
  }
}
