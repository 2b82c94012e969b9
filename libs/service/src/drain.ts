import type { Logger } from 'pino';

/**
 * The order in which a process stops. Each step is complete, or out of time, before the next begins:
 * `accept`: nothing new is taken; `sessions`: readers and producers are told and disconnected; `appends`: what was taken is durable and
 * acknowledged; `membership`: partitions move to others, connections close; `log`: the clients of Kafka close.
 */
export const DRAIN_STEPS = ['accept', 'sessions', 'appends', 'membership', 'log'] as const;
export type DrainStep = (typeof DRAIN_STEPS)[number];

interface Part { step: DrainStep; name: string; stop: () => Promise<void> | void }

export class Drain {
  private readonly parts: Part[] = [];
  private running: Promise<boolean> | null = null;

  constructor(private readonly logger: Logger, private readonly drainMsMax: number) {}

  get isDraining(): boolean {
    return this.running !== null;
  }

  add(step: DrainStep, name: string, stop: () => Promise<void> | void): void {
    this.parts.push({ step, name, stop });
  }

  /** Runs all steps, once. @returns whether everything stopped in time and without an error */
  run(): Promise<boolean> {
    this.running ??= this.runSteps();
    return this.running;
  }

  private async runSteps(): Promise<boolean> {
    const deadline = performance.now() + this.drainMsMax;
    let isComplete = true;
    for (const step of DRAIN_STEPS) {
      const parts = this.parts.filter((part) => part.step === step);
      const results = await Promise.all(parts.map((part) => this.stopPart(part, deadline)));
      if (results.includes(false)) isComplete = false;
    }
    this.logger.info({ isComplete }, 'drained');
    return isComplete;
  }

  private async stopPart(part: Part, deadline: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    // A step that comes after the deadline still gets a moment: closing the log late is better than not closing it.
    const left = Math.max(deadline - performance.now(), 50);
    const late = new Promise<'late'>((resolve) => { timer = setTimeout(() => resolve('late'), left); });
    try {
      const outcome = await Promise.race([Promise.resolve().then(() => part.stop()), late]);
      if (outcome === 'late') this.logger.warn({ step: part.step, part: part.name, drainMsMax: this.drainMsMax }, 'did not stop in time; cut off');
      return outcome !== 'late';
    } catch (error) {
      this.logger.error({ step: part.step, part: part.name, err: error }, 'failed to stop');
      return false;
    } finally {
      clearTimeout(timer);
    }
  }
}
