import { Server } from '@nestjs/microservices';
import type { CustomTransportStrategy, MessageHandler } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import type { Observable } from 'rxjs';
import type { JoinOptions, Log, Membership } from './log';
import { LOG_PATTERNS } from './log-patterns';
import { PartitionSession } from './partition-session';

export interface LogBatchServerOptions {
  log: Log;
  /** The group to join and the topic whose partitions it shares out. */
  join: Omit<JoinOptions, 'onAssigned' | 'onRevoked'>;
}

/**
 * Nest's transport for the log. Nest's own Kafka server calls a handler per message, parses values as JSON and acknowledges what failed;
 * this one hands over whole batches, waits for each (that is the back-pressure), and asks the app where each partition starts:
 *
 *   @EventPattern('partition.assigned') → resolves to the offset to read from; no record is fetched before
 *   @EventPattern('fragments')          → one batch, in order; the next one of that partition comes when it resolved
 *   @EventPattern('partition.revoked')  → called at once, also while a batch is being folded: publish nothing from then on
 */
export class LogBatchServer extends Server implements CustomTransportStrategy {
  private readonly sessions = new Map<number, PartitionSession>();
  /** By pattern: Nest's own look-up tries to parse the pattern as JSON each time, for each batch. */
  private readonly handlers = new Map<string, MessageHandler>();
  private joined: Membership | null = null;

  constructor(private readonly options: LogBatchServerOptions) {
    super();
  }

  /** The membership once listening: age of the heartbeat. */
  get membership(): Membership | null {
    return this.joined;
  }

  /** Partitions this instance holds now. */
  partitions(): number[] {
    return [...this.sessions.values()].filter((session) => !session.isRevoked).map((session) => session.partition);
  }

  /** Gives a partition we hold to the app anew: revoked, then assigned. For an app that was fenced and is the owner after all. */
  restart(partition: number): void {
    this.sessions.get(partition)?.restart();
  }

  listen(callback: (error?: unknown) => void): void {
    for (const pattern of Object.values(LOG_PATTERNS)) {
      const handler = this.getHandlerByPattern(pattern);
      if (handler) this.handlers.set(pattern, handler);
    }
    const missing = Object.values(LOG_PATTERNS).filter((pattern) => !this.handlers.has(pattern));
    if (missing.length > 0) return callback(new Error(`No @EventPattern handler for ${missing.join(', ')}`));
    this.join().then(() => callback(), callback);
  }

  /** Leaves the group, so that the partitions move at once, and waits until no handler runs any more. */
  async close(): Promise<void> {
    await this.joined?.leave();
    await Promise.all([...this.sessions.values()].map((session) => session.revoke()));
  }

  on(): never {
    throw new Error('LogBatchServer emits no events; use `membership` and `partitions()`.');
  }

  unwrap<T>(): T {
    return this.options.log as T;
  }

  private async join(): Promise<void> {
    this.joined = await this.options.log.join({
      ...this.options.join,
      onAssigned: (partitions) => partitions.forEach((partition) => this.assign(partition)),
      onRevoked: (partitions) => partitions.forEach((partition) => void this.sessions.get(partition)?.revoke()),
    });
  }

  private assign(partition: number): void {
    const { log, join } = this.options;
    const session: PartitionSession = new PartitionSession({
      log,
      topic: join.topic,
      partition,
      // The same partition may come back while its last session still ends: one at a time.
      after: this.sessions.get(partition)?.done ?? Promise.resolve(),
      call: (pattern, payload) => this.call(pattern, payload),
      onTrouble: (text, error) => this.logger.error(`partition ${partition}: ${text}`, error instanceof Error ? error.stack : error),
    });
    this.sessions.set(partition, session);
    void session.done.then(() => {
      if (this.sessions.get(partition) === session) this.sessions.delete(partition);
    });
  }

  private async call(pattern: string, payload: unknown): Promise<unknown> {
    const result: unknown = await this.handlers.get(pattern)!(payload);
    return isObservable(result) ? lastValueFrom(result as Observable<unknown>, { defaultValue: undefined }) : result;
  }
}
