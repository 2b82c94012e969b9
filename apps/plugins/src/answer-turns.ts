/** At most so many answers of one plugin at once; the others wait in the order they came. */
export class AnswerTurns {
  private taken = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly countMax: () => number) {}

  get waitingCount(): number {
    return this.waiting.length;
  }

  get takenCount(): number {
    return this.taken;
  }

  /** @returns how to give the turn back */
  async take(): Promise<() => void> {
    if (this.taken >= this.countMax()) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.taken += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const next = this.waiting.shift();
      // The turn goes from hand to hand: nobody who comes now gets between.
      if (next) next();
      else this.taken -= 1;
    };
  }
}
