/** Faults as the seed says: decks of all kinds, shuffled, so that each kind comes as often as any other. */
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
  /** Kinds of FAULTS. */
  kinds: readonly string[];
  say(line: string): void;
  onTrouble(what: string): void;
}

export class Schedule {
  readonly windows: Window[] = [];

  constructor(private readonly world: World, private readonly options: ScheduleOptions) {}

  /** One fault after the other, until the signal fires and what is broken then has been healed. */
  async run(signal: AbortSignal): Promise<void> {
    const { random, pairProbability, kinds } = this.options;
    while (!signal.aborted) {
      const deck = random.shuffled(kinds);
      while (deck.length > 0 && !signal.aborted) {
        const first = deck.shift()!;
        const second = random.chance(pairProbability) ? takeBeside(first, deck) : null;
        await this.calm(signal);
        await Promise.all([first, ...(second ? [second] : [])].map((kind) => this.inject(kind, second === null, signal)));
      }
    }
  }

  /** Each kind once, the groups side by side: as much as fits into little time. */
  async runOnce(signal: AbortSignal): Promise<void> {
    const { random, kinds } = this.options;
    const groups = [...new Set(kinds.map((kind) => FAULTS[kind]!.group))];
    await Promise.all(groups.map(async (group) => {
      const deck = random.shuffled(kinds.filter((kind) => FAULTS[kind]!.group === group));
      for (const kind of deck) {
        await this.calm(signal);
        await this.inject(kind, false, signal);
      }
    }));
  }

  private async calm(signal: AbortSignal): Promise<void> {
    await this.hold(this.options.random.integer(...this.options.calmMs), signal);
  }

  private async inject(kind: string, isAlone: boolean, signal: AbortSignal): Promise<void> {
    const { random, pace, say, onTrouble } = this.options;
    const { what, run } = FAULTS[kind]!.make(this.world, random.derive(`${kind} ${this.windows.length}`));
    if (signal.aborted) return;
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

/** The next one of another group. */
function takeBeside(first: string, deck: string[]): string | null {
  const place = deck.findIndex((kind) => FAULTS[kind]!.group !== FAULTS[first]!.group);
  return place < 0 ? null : deck.splice(place, 1)[0]!;
}
