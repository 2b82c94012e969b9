import { StreamError } from '@rivulet/protocol';
import { sleep } from './time';
import type { Time } from './time';

const PAUSE_MS = 100;
const STALL_MS_MAX = 5_000;

/** Reads towards an end that was seen, while the log does not show what is there: a pause after each that got nowhere, and a bound. */
export class Stall {
  private since: number | null = null;

  constructor(private readonly time: Time) {}

  /** @throws StreamError LOG_UNAVAILABLE after too long without progress */
  async read(hasProgress: boolean): Promise<void> {
    if (hasProgress) {
      this.since = null;
      return;
    }
    this.since ??= this.time.now();
    if (this.time.now() - this.since >= STALL_MS_MAX) {
      throw new StreamError('LOG_UNAVAILABLE', { detail: 'The log does not show what it has.', retryAfterMs: PAUSE_MS });
    }
    await sleep(this.time, PAUSE_MS);
  }
}
