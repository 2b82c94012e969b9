/** Faults one after the other, as the seed says: decks of all kinds, shuffled, so that each kind comes as often as any other. */
import { setTimeout as elapse } from 'node:timers/promises';
import { FAULTS } from './faults';
import type { World } from './faults';
import type { Random } from './random';

/** A fault from its first blow until everything it broke was healed. */
export interface Window { kind: string; what: string; from: number; to: number; isAlone: boolean }

export interface ScheduleOptions {
  random: Random;
  /** Calm between two faults, ms. */
  calmMs: readonly [number, number];
  /** How often a second fault of another group comes with one. */
  pairProbability: number;
  /** Of how long things stay broken; 1 as in faults.ts. */
  pace: number;
  say(line: string): void;
  onTrouble(what: string): void;
}

export class Schedule {
  readonly windows: Window[] = [];
  private deck: string[] = [];

  constructor(private readonly world: World, private readonly options: ScheduleOptions) {}

  /** Until the signal fires, and then until what is broken has been healed. @param decks ends after that many */
  async run(signal: AbortSignal, decks = Infinity): Promise<void> {
    const { random, calmMs, pairProbability } = this.options;
    for (let deck = 0; deck < decks && !signal.aborted; deck++) {
      this.deck = random.shuffled(Object.keys(FAULTS));
      while (this.deck.length > 0) {
        await this.hold(random.integer(...calmMs), signal);
        if (signal.aborted) return;
        const first = this.deck.shift()!;
        const second = random.chance(pairProbability) ? this.takeBeside(first) : null;
        await Promise.all([first, ...(second ? [second] : [])].map((kind) => this.inject(kind, second === null, signal)));
      }
    }
  }

  /** The next one of another group. */
  private takeBeside(first: string): string | null {
    const place = this.deck.findIndex((kind) => FAULTS[kind]!.group !== FAULTS[first]!.group);
    return place < 0 ? null : this.deck.splice(place, 1)[0]!;
  }

  private async inject(kind: string, isAlone: boolean, signal: AbortSignal): Promise<void> {
    const { random, pace, say, onTrouble } = this.options;
    const { what, run } = FAULTS[kind]!.make(this.world, random.derive(`${kind} ${this.windows.length}`));
    const window: Window = { kind, what, from: performance.now(), to: Infinity, isAlone };
    this.windows.push(window);
    say(`fault: ${what}`);
    try {
      await run((ms) => this.hold(ms * pace, signal));
    } catch (error) {
      onTrouble(`${what}: not healed: ${String(error)}`);
    }
    window.to = performance.now();
  }

  private async hold(ms: number, signal: AbortSignal): Promise<void> {
    await elapse(ms, undefined, { signal }).catch(() => undefined);
  }
}
