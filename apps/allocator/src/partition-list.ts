import type { AdminPartition } from '@rivulet/protocol';
import { partitionsOfClass, STREAM_CLASSES } from '@rivulet/service';
import type { ClassSizes } from '@rivulet/service';
import type { LifecycleEntries } from './lifecycle-entries';

/** What operators see of partitions: who owns each, by the highest claim, and how many open streams it has. */
export class PartitionList {
  constructor(private readonly entries: LifecycleEntries, private readonly sizes: ClassSizes) {}

  all(): AdminPartition[] {
    return STREAM_CLASSES.flatMap((streamClass) => {
      const { first, count } = partitionsOfClass(streamClass, this.sizes);
      return Array.from({ length: count }, (_, index) => {
        const partition = first + index;
        return { partition, class: streamClass, owner: this.entries.owners.of(partition), openStreams: this.entries.load.of(partition) };
      });
    });
  }
}
