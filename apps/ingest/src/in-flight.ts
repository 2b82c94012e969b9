/** Appends of one connection that are on their way into the log. */
export class InFlight {
  private bytes = 0;
  private count = 0;
  private failed: Error | null = null;
  private waiters: (() => void)[] = [];

  /** @param bytesMax, countMax room() waits while more than this is under way */
  constructor(
    private readonly bytesMax: number,
    private readonly onFailure: (error: Error) => void,
    private readonly countMax = Infinity,
  ) {}

  /**
   * Adds an append. [APPEND-2] A connection's appends fail as a suffix: after the first failure nothing more is acknowledged,
   * although it may have become durable; the sender resends from there and the judge drops what it has.
   */
  add(bytes: number, appended: Promise<unknown>, acknowledge: () => void): void {
    this.bytes += bytes;
    this.count += 1;
    appended.then(
      () => {
        if (!this.failed) acknowledge();
        this.settle(bytes);
      },
      (error: Error) => {
        if (!this.failed) {
          this.failed = error;
          this.onFailure(error);
        }
        this.settle(bytes);
      },
    );
  }

  get failure(): Error | null {
    return this.failed;
  }

  get isFull(): boolean {
    return this.bytes > this.bytesMax || this.count >= this.countMax;
  }

  /** Resolves when there is room for more. @throws the first failure */
  async room(): Promise<void> {
    while (this.isFull) await this.change();
    if (this.failed) throw this.failed;
  }

  /** Resolves when nothing is under way, however it ended. */
  async settled(): Promise<void> {
    while (this.count > 0) await this.change();
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  private settle(bytes: number): void {
    this.bytes -= bytes;
    this.count -= 1;
    if (this.waiters.length === 0) return;
    for (const waiter of this.waiters.splice(0)) waiter();
  }
}
