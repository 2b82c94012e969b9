/** Numbers that a seed fixes (mulberry32): a run is told again by its seed, as far as processes can be. */
export class Random {
  private state: number;

  constructor(readonly seed: string) {
    // FNV-1a, so that seeds that differ in one character go apart.
    this.state = [...seed].reduce((hash, character) => Math.imul(hash ^ character.charCodeAt(0), 16_777_619), 2_166_136_261);
  }

  /** From 0 up to, not including, 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Both ends included. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)]!;
  }

  shuffled<T>(all: readonly T[]): T[] {
    const rest = [...all];
    for (let last = rest.length - 1; last > 0; last--) {
      const place = this.integer(0, last);
      [rest[last], rest[place]] = [rest[place]!, rest[last]!];
    }
    return rest;
  }

  /** One of its own, for a part whose pace must not change what the others do. */
  derive(part: string): Random {
    return new Random(`${this.seed}/${part}`);
  }
}
