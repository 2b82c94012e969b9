import { StreamError } from '@rivulet/protocol';

export interface BackoffOptions {
  firstMs: number;
  mostMs: number;
}
export const BACKOFF: BackoffOptions = { firstMs: 100, mostMs: 2_000 };

/** Those whom a service told the same time to come back are spread over half of this at least, ms. */
const SPREAD_MS = 1_000;

/** Waits that double up to a bound, half of each random so that clients cut off together do not come back together. */
export class Backoff {
  private failures = 0;

  constructor(
    private readonly options: BackoffOptions = BACKOFF,
    private readonly random: () => number = Math.random,
  ) {}

  /** @param atLeastMs what the service asked for (Retry-After) @returns ms to wait before the next try */
  next(atLeastMs = 0): number {
    const cap = Math.min(this.options.mostMs, this.options.firstMs * 2 ** this.failures);
    this.failures = Math.min(this.failures + 1, 30);
    const jittered = cap / 2 + (this.random() * cap) / 2;
    // Jitter on top of Retry-After too, also of a first failure: it is the same for everybody who was refused.
    return Math.round(atLeastMs > 0 ? atLeastMs + (this.random() * Math.max(cap, SPREAD_MS)) / 2 : jittered);
  }

  /**
   * What was connected has broken off. Only one that lived longer than the longest wait starts anew: a service that takes everybody and
   * drops them again, with an event or without, is in trouble, and coming back at once would keep it there.
   * @param livedMs since its first event
   */
  disconnected(livedMs: number): void {
    if (livedMs >= this.options.mostMs) this.failures = 0;
  }
}

/** Waits, or rejects with the signal's reason as soon as it fires. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** [APPEND-13] A used-up quota of open streams is not: only ending one of them helps, which is for the caller to decide. */
export const isTransient = (error: unknown): error is StreamError => error instanceof StreamError && error.row.next === 'retry'
  && !(error.code === 'QUOTA_EXCEEDED' && retryAfterOf(error) === 0);

/** @returns what the service asked to wait, ms; 0 when it did not say. */
export function retryAfterOf(error: StreamError): number {
  return typeof error.details.retryAfterMs === 'number' ? error.details.retryAfterMs : 0;
}

/**
 * Repeats a call until it succeeds, fails for good, or nothing has succeeded for giveUpMs.
 * Only for calls that are safe to repeat [APPEND-3] [APPEND-4] [APPEND-11].
 */
export async function resend<T>(
  attempt: () => Promise<T>, options: { giveUpMs: number; signal?: AbortSignal; backoff?: BackoffOptions },
): Promise<T> {
  const backoff = new Backoff(options.backoff);
  const startedAt = Date.now();
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (options.signal?.aborted || !isTransient(error)) throw error;
      const waitMs = backoff.next(retryAfterOf(error));
      if (Date.now() + waitMs - startedAt > options.giveUpMs) throw error;
      await pause(waitMs, options.signal);
    }
  }
}
