import { compareCursors, parseCursor } from '@rivulet/protocol';

/** Acks of one named session on their way to the log; those that come meanwhile are one, the furthest [WATCH-6]. */
export class AckQueue {
  private next: string | null = null;
  private isBusy = false;

  /** @param confirm never rejects */
  constructor(private readonly confirm: (cursor: string) => Promise<void>) {}

  /** @throws StreamError CURSOR_INVALID */
  add(cursor: string): void {
    const parsed = parseCursor(cursor);
    if (this.next === null || compareCursors(parsed, parseCursor(this.next)) > 0) this.next = cursor;
    if (!this.isBusy) void this.run();
  }

  private async run(): Promise<void> {
    this.isBusy = true;
    while (this.next !== null) {
      const cursor = this.next;
      this.next = null;
      await this.confirm(cursor);
    }
    this.isBusy = false;
  }
}
