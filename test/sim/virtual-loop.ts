import type { Time } from '../../apps/fanout/src/time';
import type { Random } from './random';

/** One process of the simulated system: what it scheduled runs only while it lives and is not stopped. */
export class SimProcess {
  isDead = false;
  isPaused = false;
  /** Its wall clock is off by so much, ms. */
  wallOffsetMs = 0;
  /** Immediates of a process keep their order, as in Node; those of two processes have none. */
  immediateAt = 0;
  readonly deferred: Scheduled[] = [];

  constructor(readonly name: string) {}
}

interface Scheduled { at: number; order: number; process: SimProcess; run: () => void; isCancelled: boolean }

/** What stands in for Timeout and Immediate: the code under test keeps it, cancels it, and may call unref. */
interface Handle { scheduled: Scheduled | null; unref(): Handle; ref(): Handle; hasRef(): boolean }

const EPOCH_MS = 1_800_000_000_000;
/** An immediate takes so long at most, ms: so time always moves, and immediates of several processes mix. */
const IMMEDIATE_MS = 0.02;
const TIMER_JITTER_MS = 0.5;
const REPLACED = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate', 'performance'] as const;

/**
 * Virtual time: the timers, immediates and clocks of the code under test, for one seed. One event at a time, all promises it settled
 * followed to their end before the next, events in order of time and, where time gives none, in an order the seed gives.
 * What an event schedules belongs to the process the event belongs to.
 */
export class VirtualLoop {
  /** True time, ms: monotonic, and the same for all. */
  now = 0;
  events = 0;
  current: SimProcess;
  private readonly heap: Scheduled[] = [];
  private orders = 0;
  private readonly real = { setImmediate: globalThis.setImmediate, dateNow: Date.now, random: Math.random };
  private saved: [string, PropertyDescriptor | undefined][] | null = null;

  constructor(private readonly random: Random) {
    this.current = new SimProcess('world');
  }

  wall(process: SimProcess = this.current): number {
    return Math.floor(EPOCH_MS + this.now + process.wallOffsetMs);
  }

  /** Runs something in a process after a time. */
  after(process: SimProcess, ms: number, run: () => void): Scheduled {
    const scheduled: Scheduled = { at: this.now + Math.max(0, ms), order: this.orders++, process, run, isCancelled: false };
    this.push(scheduled);
    return scheduled;
  }

  timeOf(process: SimProcess): Time {
    return {
      now: () => this.now,
      wall: () => this.wall(process),
      after: (ms, run) => {
        const scheduled = this.after(process, ms + this.random.next() * TIMER_JITTER_MS, run);
        return { cancel: () => void (scheduled.isCancelled = true) };
      },
      soon: (run) => void this.immediate(process, run),
    };
  }

  pause(process: SimProcess): void {
    process.isPaused = true;
  }

  /** What fell due meanwhile is done at once, in the order in which it fell due. */
  resume(process: SimProcess): void {
    process.isPaused = false;
    for (const scheduled of process.deferred.splice(0)) {
      scheduled.at = Math.max(scheduled.at, this.now);
      this.push(scheduled);
    }
  }

  kill(process: SimProcess): void {
    process.isDead = true;
    process.deferred.length = 0;
  }

  /** @returns false when there was nothing to run */
  async step(): Promise<boolean> {
    for (;;) {
      const scheduled = this.pop();
      if (scheduled === undefined) return false;
      if (scheduled.isCancelled || scheduled.process.isDead) continue;
      this.now = Math.max(this.now, scheduled.at);
      if (scheduled.process.isPaused) {
        scheduled.process.deferred.push(scheduled);
        continue;
      }
      this.events += 1;
      this.current = scheduled.process;
      scheduled.run();
      await new Promise((resolve) => this.real.setImmediate(resolve));
      return true;
    }
  }

  /** Runs until a condition holds or so much time has passed. @returns whether it holds */
  async runUntil(isDone: () => boolean, ms: number, afterEach: () => void = () => undefined): Promise<boolean> {
    const end = this.now + ms;
    while (!isDone()) {
      if (this.now > end || !(await this.step())) return isDone();
      afterEach();
    }
    return true;
  }

  /** Follows the promises that are settled now, without running anything that is scheduled. */
  drain(): Promise<void> {
    return new Promise((resolve) => void this.real.setImmediate(resolve));
  }

  /** From here on the process runs on this loop's time. */
  install(): void {
    this.saved = REPLACED.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
    const define = (name: string, value: unknown): void => {
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true, enumerable: true });
    };
    define('setTimeout', (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => this.timer(ms, () => run(...args)));
    define('setInterval', (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => this.interval(ms, () => run(...args)));
    define('setImmediate', (run: (...args: unknown[]) => void, ...args: unknown[]) => handle(this.immediate(this.current, () => run(...args))));
    for (const name of ['clearTimeout', 'clearInterval', 'clearImmediate']) define(name, cancel);
    define('performance', { now: () => this.now });
    Date.now = () => this.wall();
    Math.random = () => this.random.next();
  }

  restore(): void {
    for (const [name, descriptor] of this.saved ?? []) if (descriptor !== undefined) Object.defineProperty(globalThis, name, descriptor);
    this.saved = null;
    Date.now = this.real.dateNow;
    Math.random = this.real.random;
  }

  private timer(ms: number, run: () => void): Handle {
    return handle(this.after(this.current, Math.max(1, ms) + this.random.next() * TIMER_JITTER_MS, run));
  }

  private interval(ms: number, run: () => void): Handle {
    const process = this.current;
    const own = handle(null);
    const again = (): void => {
      own.scheduled = this.after(process, Math.max(1, ms), () => {
        again();
        run();
      });
    };
    again();
    return own;
  }

  private immediate(process: SimProcess, run: () => void): Scheduled {
    process.immediateAt = Math.max(process.immediateAt, this.now) + this.random.next() * IMMEDIATE_MS;
    return this.after(process, process.immediateAt - this.now, run);
  }

  private push(scheduled: Scheduled): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(scheduled);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(scheduled, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = scheduled;
  }

  private pop(): Scheduled | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

const isBefore = (a: Scheduled, b: Scheduled): boolean => (a.at === b.at ? a.order < b.order : a.at < b.at);

function handle(scheduled: Scheduled | null): Handle {
  const own: Handle = { scheduled, unref: () => own, ref: () => own, hasRef: () => true };
  return own;
}

function cancel(given: Handle | null | undefined): void {
  if (given?.scheduled) given.scheduled.isCancelled = true;
}
