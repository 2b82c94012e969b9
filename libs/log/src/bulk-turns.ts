import { performance } from 'node:perf_hooks';

/** Interactive that is older than this does not hold bulk back, ms. */
const ACTIVE_MS = 100;
/** From one turn of bulk to the next while nothing has to wait for it, and at most, ms: it is slowed, never stopped. */
const TURN_MS = 20;
const TURN_MS_MAX = 200;
/** How long a turn is open, ms: what comes within leaves together. Few large requests cost others less than many small ones. */
const OPEN_MS = 5;
/** What one turn takes, bytes. */
const TURN_BYTES = 256 * 1024;
/** The loop was late by so much: bulk stays away for so many times that. */
const PATIENCE = 32;
/** Timers are this coarse, ms. */
const COARSE_MS = 1;

/**
 * Partitions, producers and connections are separate by class, but a process has one event loop, and a machine so many cores. While
 * interactive flows, bulk is taken in turns: bodies are taken, partitions fetched. A turn begins with a timer, and how late that comes,
 * because the loop or the cores were busy with whatever, is what interactive has to wait just then: the next turn is put off by a
 * multiple of it. What waits, waits at the sender or in the log, where it costs nothing [KAFKA-25].
 */
export class BulkTurns {
  private interactiveAt = -Infinity;
  private openUntil = -Infinity;
  private nextAt = -Infinity;
  private leftBytes = 0;
  private timer: NodeJS.Timeout | null = null;
  private waiting: { bytes: number; resolve: () => void }[] = [];

  /** Something interactive was taken just now. */
  noteInteractive(): void {
    this.interactiveAt = performance.now();
  }

  noteBulk(bytes: number): void {
    this.leftBytes -= bytes;
  }

  isHeld(): boolean {
    return this.isInteractive() && (this.leftBytes <= 0 || performance.now() >= this.openUntil);
  }

  /** Resolves when it is the turn of so many bytes, who waits first first. */
  async turn(bytes: number): Promise<void> {
    // Nobody overtakes who waits: fragments of one stream keep their order.
    if (!this.isHeld() && this.waiting.length === 0) return;
    await new Promise<void>((resolve) => {
      this.waiting.push({ bytes, resolve });
      this.arm();
    });
  }

  private isInteractive(): boolean {
    return performance.now() - this.interactiveAt < ACTIVE_MS;
  }

  private arm(): void {
    if (this.timer !== null) return;
    const now = performance.now();
    const afterMs = Math.max(1, Math.ceil(this.nextAt - now));
    this.timer = setTimeout(() => this.begin(now + afterMs), afterMs);
  }

  private begin(dueAt: number): void {
    this.timer = null;
    const now = performance.now();
    const lateMs = Math.max(0, now - dueAt - COARSE_MS);
    this.nextAt = now + Math.min(TURN_MS + PATIENCE * lateMs, TURN_MS_MAX);
    this.openUntil = now + OPEN_MS;
    this.leftBytes = TURN_BYTES;
    let bytesMax = this.isInteractive() ? TURN_BYTES : Infinity;
    const waiting = this.waiting;
    const taken = waiting.findIndex(({ bytes }) => (bytesMax -= bytes) <= 0) + 1 || waiting.length;
    this.waiting = waiting.slice(taken);
    for (const { resolve } of waiting.slice(0, taken)) resolve();
    if (this.waiting.length > 0) this.arm();
  }
}
