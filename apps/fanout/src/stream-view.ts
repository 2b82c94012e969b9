import { ViewSegment, joinRun } from './view-segment';
import type { ReadLimit, Run } from './view-segment';

/** What a view tells the cache that holds it. */
export interface ViewAccount {
  grew(view: StreamView, cost: number): void;
  shrank(view: StreamView, cost: number): void;
  watched(view: StreamView): void;
}

/**
 * The recent fragments of a stream: a cache of the log, nothing more. It is a contiguous stretch that ends at the newest fragment; the
 * cache may drop it from the front at any time, all of it too. A reader that does not find its place here reads the log (cold-reader.ts).
 * Sequences are those of the content since the last rewind.
 */
export class StreamView {
  private segments: ViewSegment[] = [];
  /** Sequence after the newest fragment seen; 0 before the first. */
  private nextSequence = 0;
  private payloadBytes = 0;
  private heldCost = 0;

  constructor(readonly streamNo: string, private readonly account: ViewAccount) {}

  /** Sequence after the newest fragment, 0 when none was seen since the view was made. */
  get next(): number {
    return this.nextSequence;
  }

  /** First sequence in memory; equal to `next` when nothing is. */
  get first(): number {
    return this.segments[0]?.first ?? this.nextSequence;
  }

  /** Payload bytes in memory. */
  get bytes(): number {
    return this.payloadBytes;
  }

  /** What it counts under the cap: payloads and the memory around them, bytes. */
  get cost(): number {
    return this.heldCost;
  }

  /** Consecutive fragments, newly part of the content. The payloads belong to the view from here on: nobody changes them. */
  append(epoch: number, lane: string, firstSequence: number, payloads: readonly Uint8Array[]): void {
    if (firstSequence !== this.nextSequence) this.clear(firstSequence);
    const before = this.heldCost;
    for (const payload of payloads) {
      let segment = this.segments.at(-1);
      if (segment === undefined || segment.isSealed) {
        segment = new ViewSegment(this.nextSequence);
        this.segments.push(segment);
      } else {
        this.heldCost -= segment.cost;
      }
      segment.append(epoch, lane, payload);
      this.heldCost += segment.cost;
      this.payloadBytes += payload.byteLength;
      this.nextSequence += 1;
    }
    this.account.grew(this, this.heldCost - before);
  }

  /** The content starts over [JUDGE-6]. */
  rewind(_epoch: number): void {
    this.clear(1);
  }

  dispose(): void {
    this.clear(0);
  }

  /** @returns the runs from sequence `from` on, at least one fragment; null when `from` is not in memory */
  read(from: number, limit: ReadLimit): Run[] | null {
    if (this.segments.length === 0 || from < this.first || from >= this.nextSequence) return null;
    this.account.watched(this);
    const runs: Run[] = [];
    const last = Math.min(limit.last, this.nextSequence - 1);
    let room = limit.bytesMax;
    let at = from;
    for (let index = this.segmentOf(from); at <= last && index < this.segments.length;) {
      const segment = this.segments[index]!;
      const run = segment.run(at, room, limit, runs.length === 0);
      if (run === null) break;
      joinRun(runs, run);
      room -= run.bytes;
      at = run.last + 1;
      if (at === segment.next) index += 1;
    }
    return runs;
  }

  /** @returns the sequence whose fragment holds this byte, counted from the first byte in memory, and the bytes before that fragment */
  locate(byte: number): { sequence: number; before: number } {
    let before = 0;
    for (const segment of this.segments) {
      if (before + segment.bytes <= byte) {
        before += segment.bytes;
        continue;
      }
      for (let sequence = segment.first; sequence < segment.next; sequence += 1) {
        const size = segment.sizeOf(sequence);
        if (before + size > byte) return { sequence, before };
        before += size;
      }
    }
    return { sequence: this.nextSequence, before };
  }

  /** Drops the oldest stretch. Called by the cache only. @returns whether anything was left to drop */
  evict(): boolean {
    const segment = this.segments.shift();
    if (segment === undefined) return false;
    this.payloadBytes -= segment.bytes;
    this.heldCost -= segment.cost;
    this.account.shrank(this, segment.cost);
    return true;
  }

  private clear(next: number): void {
    const cost = this.heldCost;
    this.segments = [];
    this.payloadBytes = 0;
    this.heldCost = 0;
    this.nextSequence = next;
    this.account.shrank(this, cost);
  }

  private segmentOf(sequence: number): number {
    let low = 0;
    let high = this.segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.segments[middle]!.first <= sequence) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
