/** Something that is told every KEEP_ALIVE_MS that its connection must not look dead. */
export interface KeptAlive { keepAlive(): void }

/** [WATCH-11] A comment every 15 s. */
export const KEEP_ALIVE_MS = 15_000;
const SLOTS = 15;

/**
 * One timer for the keep-alives of all sessions: a wheel of slots, one per second, so that they are spread and a session costs one entry
 * in a set and no timer.
 */
export class KeepAlives {
  private readonly slots = Array.from({ length: SLOTS }, () => new Set<KeptAlive>());
  private at = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly periodMs = KEEP_ALIVE_MS) {}

  /** @returns what removes it again */
  add(kept: KeptAlive): () => void {
    // The slot that was served last: its next turn is a whole period away.
    const slot = this.slots[this.at]!;
    slot.add(kept);
    this.timer ??= setInterval(() => this.tick(), this.periodMs / SLOTS).unref();
    return () => slot.delete(kept);
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  private tick(): void {
    this.at = (this.at + 1) % SLOTS;
    for (const kept of this.slots[this.at]!) kept.keepAlive();
  }
}
