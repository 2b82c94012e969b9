import type { OwnerLogger } from './dead-letters';
import type { LifecycleWriter } from './lifecycle-writer';
import type { StreamTable } from './stream-table';

/** Tombstones written at once; the next ones follow when these are acknowledged. */
const TOMBSTONES_MAX = 500;

/**
 * Removal in two steps: the small `deleted` value is written when `delete` is folded; the tombstone only when `replayFrom`, as published,
 * is past the stream's last record. Earlier, a replay would meet the `open` again and bring the stream back [OWN-4].
 */
export class Tombstones {
  private isBusy = false;

  constructor(
    private readonly partition: number,
    private readonly table: StreamTable,
    private readonly writer: LifecycleWriter,
    private readonly logger: OwnerLogger,
  ) {}

  /** @param replayFrom as acknowledged in `#owner` */
  async bury(replayFrom: number): Promise<void> {
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      const due: string[] = [];
      for (const [streamNo, lastOffset] of this.table.deleted) {
        if (lastOffset < replayFrom) due.push(streamNo);
        if (due.length >= TOMBSTONES_MAX) break;
      }
      await Promise.all(due.map(async (streamNo) => {
        await this.writer.putTombstone(streamNo);
        this.table.forget(streamNo);
      }));
    } catch (error) {
      this.logger.warn({ partition: this.partition, err: error }, 'tombstones were not written; trying again');
    } finally {
      this.isBusy = false;
    }
  }
}
