/** Everyone starts with, and can save up, what a second gives. */
const BURST_SECONDS = 1;
/** A whole token, less what sums of fractions lose: who comes back exactly when told is not sent away again. */
const WHOLE = 1 - 1e-6;

/**
 * A rate, measured by a bucket that fills at it. It may go below empty: a call that is larger than a second's worth is taken when its turn
 * comes, and paid for by those after it.
 */
export class TokenBucket {
  private readonly capacity: number;
  private tokens: number;
  private filledAt: number;

  /** @param now monotonic ms */
  constructor(private readonly perSecond: number, private readonly now: () => number) {
    this.capacity = this.tokens = perSecond * BURST_SECONDS;
    this.filledAt = now();
  }

  /** For those who can be refused. @returns 0 when there is something to spend, else ms until there is */
  lackMs(): number {
    this.fill();
    return this.tokens >= WHOLE ? 0 : Math.ceil(((1 - this.tokens) / this.perSecond) * 1_000);
  }

  spend(count: number): void {
    this.tokens -= count;
  }

  /**
   * For those who wait instead: takes their place in the line. Half of the bucket is left to those who cannot wait, who would otherwise
   * find it empty for as long as one body streams.
   * @returns ms until it is their turn
   */
  reserve(count: number): number {
    this.fill();
    this.tokens -= count;
    return Math.max(0, Math.ceil(((this.capacity / 2 - this.tokens) / this.perSecond) * 1_000));
  }

  private fill(): void {
    const now = this.now();
    this.tokens = Math.min(this.capacity, this.tokens + ((now - this.filledAt) / 1_000) * this.perSecond);
    this.filledAt = now;
  }
}
