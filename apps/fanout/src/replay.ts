import type { OwnerContext } from './owner-context';
import type { PartitionFold } from './partition-fold';
import { Stall } from './stall';

const SCAN_BYTES_MAX = 1024 * 1024;

/** Folds what the log holds up to an end that was seen. @param assertWanted throws when nobody wants the partition any more */
export async function replayTo(
  { log, topics, time }: OwnerContext, fold: PartitionFold, partition: number, end: number, assertWanted: () => void,
): Promise<void> {
  const stall = new Stall(time);
  while (fold.next < end) {
    const from = fold.next;
    const batch = await log.scan(topics.fragments, partition, from, { bytesMax: SCAN_BYTES_MAX });
    assertWanted();
    await fold.fold(batch);
    assertWanted();
    await stall.read(fold.next > from);
    assertWanted();
  }
}
