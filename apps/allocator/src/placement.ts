import type { StreamClass } from '@rivulet/protocol';
import { channelPartition, partitionsOfClass } from '@rivulet/service';

interface PlacementOptions {
  partitionsInteractive: number;
  partitionsBulk: number;
  /** Open streams of a partition. */
  loadOf: (partition: number) => number;
  /** 0 ≤ x < 1. */
  random?: () => number;
}

/** Which partition a stream lives in. */
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
    if (channel !== '') return channelPartition(streamClass, channel, this.options);
    const { first, count } = partitionsOfClass(streamClass, this.options);
    if (spread !== undefined) return first + (spread % count);
    const a = first + Math.floor(this.random() * count);
    const b = first + Math.floor(this.random() * count);
    return this.options.loadOf(b) < this.options.loadOf(a) ? b : a;
  }
}
