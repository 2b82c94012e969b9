import { performance } from 'node:perf_hooks';
import { setTimeout as elapse } from 'node:timers/promises';

/** How often the load of the loop is looked at, and so how long bulk waits at least, ms. */
const SAMPLE_MS = 10;
/** Share of the loop's time beyond which what arrives has to wait noticeably. */
const BUSY_SHARE = 0.75;
/** Interactive that is older than this does not hold bulk back, ms. */
const ACTIVE_MS = 100;
/** Bulk is never held for longer at once: a process that interactive alone fills still takes a piece of bulk now and then, ms. */
const HELD_MS_MAX = 250;

/** How much of its time the event loop of this process works, over the last sample. */
class LoopLoad {
  private since = performance.eventLoopUtilization();
  private sampledAt = performance.now();
  private share = 0;

  isBusy(): boolean {
    const now = performance.now();
    if (now - this.sampledAt >= SAMPLE_MS) {
      const current = performance.eventLoopUtilization();
      this.share = performance.eventLoopUtilization(current, this.since).utilization;
      this.since = current;
      this.sampledAt = now;
    }
    return this.share > BUSY_SHARE;
  }
}

/**
 * Partitions, producers and connections are separate by class, but a process has one event loop. While interactive flows and the loop is
 * busy, bulk is not taken: bodies are not read on, partitions not fetched. What waits, waits at the sender or in the log, where it costs
 * nothing [KAFKA-25].
 */
export class BulkTurns {
  private interactiveAt = -Infinity;

  constructor(private readonly load: { isBusy(): boolean } = new LoopLoad()) {}

  /** Something interactive was taken just now. */
  noteInteractive(): void {
    this.interactiveAt = performance.now();
  }

  isHeld(): boolean {
    return performance.now() - this.interactiveAt < ACTIVE_MS && this.load.isBusy();
  }

  /** Resolves when bulk may go on, at the latest after HELD_MS_MAX. */
  async free(): Promise<void> {
    // By the clock: in a busy loop, and only there is anybody held, a wait takes longer than it was told to.
    const until = performance.now() + HELD_MS_MAX;
    while (this.isHeld() && performance.now() < until) await elapse(SAMPLE_MS);
  }
}
