import type { Tail, TailHandlers } from './log';
import type { MemoryPartition } from './memory-store';

const BATCH_BYTES_MAX = 1024 * 1024;
/** How often a tail looks whether an outage (a fault in tests) is over, ms. */
const AWAY_MS = 20;

/** Follows one partition: idle until the end moves, then one batch at a time, the next only when the handler is done with the last. */
export class MemoryTail implements Tail {
  nextOffset: number;
  private isDelivering = false;
  private isClosed = false;
  private readonly unwatch: () => void;

  constructor(
    private readonly partition: MemoryPartition,
    from: number,
    private readonly handlers: TailHandlers,
    private readonly isAway: () => boolean,
    private readonly onClose: () => void,
  ) {
    this.nextOffset = from;
    this.unwatch = partition.watch(() => this.wake());
    this.wake();
  }

  async close(): Promise<void> {
    this.stop();
  }

  private stop(): void {
    this.isClosed = true;
    this.unwatch();
    this.onClose();
  }

  private wake(): void {
    if (this.isDelivering || this.isClosed) return;
    this.isDelivering = true;
    void this.deliver();
  }

  private async deliver(): Promise<void> {
    for (;;) {
      // A turn of the loop between batches, so that one partition never starves the others.
      await (this.isAway() ? new Promise((resolve) => setTimeout(resolve, AWAY_MS)) : new Promise((resolve) => setImmediate(resolve)));
      if (this.isClosed) return;
      if (this.isAway()) continue;
      const { start, end } = this.partition;
      if (this.nextOffset < start || this.nextOffset > end) {
        this.stop();
        return this.handlers.onJump({ expected: this.nextOffset, start, end });
      }
      if (this.nextOffset === end) {
        this.isDelivering = false;
        return;
      }
      const batch = this.partition.read(this.nextOffset, BATCH_BYTES_MAX);
      this.nextOffset = batch.nextOffset;
      await this.handlers.onBatch(batch);
    }
  }
}
