/**
 * Up to when the fold has seen everything: the latest moment T such that every record that was in the log at T is folded.
 *
 * Leases and gaps are measured along T, not along the clock [OWN-6]. While Kafka is away, or this process was stopped, or the fold is
 * behind, T stands still, so no lease runs out for records that only have not been read yet. When T then leaps, all clocks restart full,
 * because the producers were as cut off as we were and need a lease's time to prove that they live.
 */
export class Horizon {
  /** Monotonic ms. */
  at: number;
  /** Clocks count from here at the earliest: moment of the takeover or of the end of the last outage. */
  restartedAt: number;
  private pending: { end: number; at: number } | null = null;
  private foldedNext: number;

  /** @param pauseMsMax a longer standstill is an outage: well above what separates two proofs in normal running */
  constructor(now: number, foldedNext: number, private readonly pauseMsMax: number) {
    this.at = now;
    this.restartedAt = now;
    this.foldedNext = foldedNext;
  }

  /** The end of the log was seen at a moment. An older sighting still waiting is kept: it is passed first, and moves T first. */
  observe(end: number, at: number): void {
    if (this.foldedNext >= end) this.advance(at);
    else if (this.pending === null) this.pending = { end, at };
  }

  /** The fold has reached an offset. */
  folded(next: number): void {
    this.foldedNext = next;
    if (this.pending === null || next < this.pending.end) return;
    const { at } = this.pending;
    this.pending = null;
    this.advance(at);
  }

  /** How long something has been so, given since when: time during which we could not have known better does not count. */
  elapsedMs(since: number): number {
    return this.at - Math.max(since, this.restartedAt);
  }

  private advance(at: number): void {
    if (at <= this.at) return;
    if (at - this.at > this.pauseMsMax) this.restartedAt = at;
    this.at = at;
  }
}
