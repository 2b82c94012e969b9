import type { Time } from './time';

/** What readers behind the head may take of one turn of the event loop, ms; what they began they finish. */
export const CATCH_UP_MS = 1;

interface CatchingUp { pump(): void }

/**
 * [WATCH-4] Readers behind the head make their frames in slices, one frame each in turn, and between two slices the event loop does
 * everything else. Without it a reader whose kernel has room for a megabyte again, as slow ones have now and then, makes thirty frames in
 * one go, and what is live waits for all of them.
 * States: idle → (a frame is made) → a slice, while it lasts anybody may → over: who comes waits for the next turn → … → idle.
 */
export class CatchUp {
  private readonly waiting = new Set<CatchingUp>();
  private isOpen = false;
  private startedAt = 0;
  private served: CatchingUp | null = null;

  constructor(private readonly time: Time, private readonly sliceMs: number) {}

  /** @returns whether it may make one frame now; if not, it is pumped in its turn */
  begin(reader: CatchingUp): boolean {
    if (this.served === reader) {
      this.served = null;
      return true;
    }
    if (this.isOpen && (this.waiting.size > 0 || !this.hasTime)) {
      this.waiting.add(reader);
      return false;
    }
    if (!this.isOpen) this.open();
    return true;
  }

  private get hasTime(): boolean {
    return this.time.now() - this.startedAt < this.sliceMs;
  }

  private open(): void {
    this.isOpen = true;
    this.startedAt = this.time.now();
    this.time.soon(this.turn);
  }

  private readonly turn = (): void => {
    this.isOpen = false;
    if (this.waiting.size === 0) return;
    // Open until the next turn, so that sockets which take more at once do not begin another slice in this one.
    this.open();
    for (const reader of this.waiting) {
      this.waiting.delete(reader);
      this.served = reader;
      reader.pump();
      this.served = null;
      if (!this.hasTime) return;
    }
  };
}
