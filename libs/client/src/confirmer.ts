import { compareCursors, parseCursor } from '@rivulet/protocol';
import type { ConfirmedReply } from '@rivulet/protocol';
import { resend } from './backoff';
import { request } from './http';
import type { Endpoint, Token } from './http';

export interface ConfirmerOptions {
  endpoint: Endpoint & { token: Token };
  streamNo: string;
  session: string;
  /** Consumed fragments that are confirmed at once; fewer wait for WAIT_MS. */
  burst: number;
}

/** Consumed events wait so long for others, to be confirmed together, ms. */
const WAIT_MS = 100;
const GIVE_UP_MS = 300_000;
/** What a reader that leaves waits for its last confirmation, ms. Without it those events come again. */
const LEAVE_MS_MAX = 2_000;

/**
 * Confirmations of one named session [WATCH-6]. They are cumulative: one is on its way at a time, and those that come meanwhile are one,
 * the furthest. Each is resent until it is durable, so nothing depends on the connection the events come on.
 */
export class Confirmer {
  private flying: Promise<void> | null = null;
  private next: { cursor: string; done: Promise<void> } | null = null;
  private consumed: { cursor: string; fragments: number } | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private failure: { error: unknown } | null = null;
  private stopping = new AbortController();

  constructor(private readonly options: ConfirmerOptions) {}

  /** Resolves when it is durable. @throws StreamError as the service said */
  confirm(cursor: string): Promise<void> {
    const { next } = this;
    if (next !== null) {
      next.cursor = further(cursor, next.cursor);
      return next.done;
    }
    if (this.flying === null) return this.send(cursor);
    const queued = { cursor, done: Promise.resolve() };
    queued.done = this.flying.catch(() => undefined).then(() => {
      this.next = null;
      return this.send(queued.cursor);
    });
    this.next = queued;
    return queued.done;
  }

  /** The application came back for more, so what it had is in its hand; confirmed soon. @throws what an earlier one failed of */
  consume(cursor: string, fragments: number): void {
    this.throwFailure();
    this.consumed = { cursor, fragments: (this.consumed?.fragments ?? 0) + fragments };
    if (this.consumed.fragments >= this.options.burst) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), WAIT_MS);
  }

  /** Resolves when all that was consumed is durable. @throws StreamError as the service said */
  async settle(): Promise<void> {
    this.flush();
    await (this.next?.done ?? this.flying);
    this.throwFailure();
  }

  /** The reader stops here, for a reason of its own: what cannot be confirmed in a moment comes again. */
  async leave(): Promise<void> {
    const { stopping } = this;
    const timer = setTimeout(() => stopping.abort(new Error('The reader has left.')), LEAVE_MS_MAX);
    await this.settle().catch(() => undefined);
    clearTimeout(timer);
    if (stopping.signal.aborted) this.stopping = new AbortController();
  }

  /** Once: the next confirmation covers what this one did not. */
  private throwFailure(): void {
    const { failure } = this;
    this.failure = null;
    if (failure !== null) throw failure.error;
  }

  private flush(): void {
    this.stopTimer();
    const { consumed } = this;
    this.consumed = null;
    if (consumed !== null) this.confirm(consumed.cursor).catch((error: unknown) => (this.failure ??= { error }));
  }

  private stopTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private send(cursor: string): Promise<void> {
    const { signal } = this.stopping;
    const flying = resend(() => this.post(cursor, signal), { giveUpMs: GIVE_UP_MS, signal }).finally(() => {
      if (this.flying === flying) this.flying = null;
    });
    this.flying = flying;
    return flying;
  }

  private async post(cursor: string, signal: AbortSignal): Promise<void> {
    const { endpoint, streamNo, session } = this.options;
    const body = JSON.stringify({ session, cursor });
    await request<ConfirmedReply>(endpoint, { method: 'POST', path: `/v1/watch/${streamNo}/ack`, token: endpoint.token, body, signal });
  }
}

const further = (a: string, b: string): string => (compareCursors(parseCursor(a), parseCursor(b)) > 0 ? a : b);
