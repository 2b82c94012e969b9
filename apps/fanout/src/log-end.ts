import type { Log } from '@rivulet/log';

/** The end of a partition, asked for by many at once: a question that has not left yet answers all who wait for it. */
export class LogEnd {
  private flying: Promise<number> | null = null;
  private queued: Promise<number> | null = null;

  constructor(private readonly log: Log, private readonly topic: string, private readonly partition: number) {}

  /** @returns the end, seen after the call. @throws StreamError LOG_UNAVAILABLE */
  ask(): Promise<number> {
    if (this.queued !== null) return this.queued;
    if (this.flying === null) return this.fly();
    const queued = this.flying.then(() => undefined, () => undefined).then(() => {
      this.queued = null;
      return this.fly();
    });
    this.queued = queued;
    return queued;
  }

  private fly(): Promise<number> {
    const flying = this.log.bounds(this.topic, this.partition).then(({ end }) => end).finally(() => (this.flying = null));
    this.flying = flying;
    return flying;
  }
}
