import type { Bounds, Log } from '@rivulet/log';

/** The bounds of a partition, asked for by many at once: a question that has not left yet answers all who wait for it. */
export class LogBounds {
  private flying: Promise<Bounds> | null = null;
  private queued: Promise<Bounds> | null = null;

  constructor(private readonly log: Log, private readonly topic: string, private readonly partition: number) {}

  /** @returns the bounds, seen after the call. @throws StreamError LOG_UNAVAILABLE */
  ask(): Promise<Bounds> {
    if (this.queued !== null) return this.queued;
    if (this.flying === null) return this.fly();
    const queued = this.flying.then(() => undefined, () => undefined).then(() => {
      this.queued = null;
      return this.fly();
    });
    this.queued = queued;
    return queued;
  }

  private fly(): Promise<Bounds> {
    const flying = this.log.bounds(this.topic, this.partition).finally(() => (this.flying = null));
    this.flying = flying;
    return flying;
  }
}
