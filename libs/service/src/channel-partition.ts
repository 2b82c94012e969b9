import { createHash } from 'node:crypto';
import type { StreamClass } from '@rivulet/protocol';

export interface ClassSizes { partitionsInteractive: number; partitionsBulk: number }

export const STREAM_CLASSES: readonly StreamClass[] = ['interactive', 'bulk'];

/** Partition numbers of class `bulk` follow those of `interactive`; the classes share nothing. */
export function partitionsOfClass(streamClass: StreamClass, sizes: ClassSizes): { first: number; count: number } {
  const { partitionsInteractive, partitionsBulk } = sizes;
  return streamClass === 'interactive' ? { first: 0, count: partitionsInteractive } : { first: partitionsInteractive, count: partitionsBulk };
}

/**
 * Where the streams of a channel live, per class: the highest hash wins. It needs no table, so allocators that place streams and fanouts
 * that look for them agree.
 */
export function channelPartition(streamClass: StreamClass, channel: string, sizes: ClassSizes): number {
  const { first, count } = partitionsOfClass(streamClass, sizes);
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
