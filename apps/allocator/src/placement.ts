import { createHash } from 'node:crypto';
import type { StreamClass } from '@rivulet/protocol';

interface PlacementOptions {
  partitionsInteractive: number;
  partitionsBulk: number;
  /** Open streams of a partition. */
  loadOf: (partition: number) => number;
  /** 0 ≤ x < 1. */
  random?: () => number;
}

/** Which partition a stream lives in. Partition numbers of class `bulk` follow those of `interactive`; the classes share nothing. */
export class Placement {
  private readonly random: () => number;

  constructor(private readonly options: PlacementOptions) {
    this.random = options.random ?? Math.random;
  }

  /**
   * A channel always goes to the same partition, so that its streams have one order and one owner (a hot channel is a documented limit).
   * Otherwise the less loaded of two random partitions: nearly as even as looking at all of them, and instances that do not know
   * of each other's opens do not all pick the same one.
   * @param spread of an idempotent open, which must come out the same every time
   */
  place(streamClass: StreamClass, channel: string, spread?: number): number {
    const { first, count } = this.partitionsOf(streamClass);
    if (channel !== '') return rendezvous(channel, first, count);
    if (spread !== undefined) return first + (spread % count);
    const a = first + Math.floor(this.random() * count);
    const b = first + Math.floor(this.random() * count);
    return this.options.loadOf(b) < this.options.loadOf(a) ? b : a;
  }

  private partitionsOf(streamClass: StreamClass): { first: number; count: number } {
    const { partitionsInteractive, partitionsBulk } = this.options;
    return streamClass === 'interactive' ? { first: 0, count: partitionsInteractive } : { first: partitionsInteractive, count: partitionsBulk };
  }
}

/** Highest hash wins: needs no table, and every allocator picks the same. */
function rendezvous(channel: string, first: number, count: number): number {
  let best = first;
  let highest = -1n;
  for (let partition = first; partition < first + count; partition += 1) {
    const weight = createHash('sha256').update(`${partition}:${channel}`).digest().readBigUInt64BE(0);
    if (weight > highest) {
      highest = weight;
      best = partition;
    }
  }
  return best;
}
