import type { Time, Timer } from '../../apps/fanout/src/time';

/** Time that moves only when a test says so. Wall clock and monotonic clock move together. */
export class VirtualTime implements Time {
  private timers: { at: number; run: () => void }[] = [];

  constructor(private elapsed = 0, private readonly epoch = 1_800_000_000_000) {}

  now(): number {
    return this.elapsed;
  }

  wall(): number {
    return this.epoch + this.elapsed;
  }

  after(ms: number, run: () => void): Timer {
    const timer = { at: this.elapsed + ms, run };
    this.timers.push(timer);
    return { cancel: () => void (this.timers = this.timers.filter((one) => one !== timer)) };
  }

  soon(run: () => void): void {
    setImmediate(run);
  }

  /** Runs what falls due on the way, in order. */
  advance(ms: number): void {
    const end = this.elapsed + ms;
    for (;;) {
      const due = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers = this.timers.filter((timer) => timer !== due);
      this.elapsed = Math.max(this.elapsed, due.at);
      due.run();
    }
    this.elapsed = end;
  }
}
