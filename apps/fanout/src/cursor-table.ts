import { StreamError } from '@rivulet/protocol';
import type { Log, LogBatch, Tail } from '@rivulet/log';
import { CursorFold } from './cursor-fold';
import type { SessionEntry } from './cursor-fold';
import type { OwnerLogger } from './dead-letters';
import { LogBounds } from './log-bounds';
import { sleep } from './time';
import type { Time } from './time';

export interface CursorTableOptions { log: Log; topic: string; partition: number; time: Time; logger: OwnerLogger }

interface Waiter { end: number; resolve: () => void; reject: (error: unknown) => void }

const RETRY_MS = 500;

/**
 * The named sessions of one partition, folded from the start of its cursors and kept current. It may be behind the log; who needs to know
 * what was acknowledged before asks for `caughtUp`, who has written something for `reached`.
 */
export class CursorTable {
  readonly fold = new CursorFold();
  /** Who needs it here; it is given up some time after the last. */
  pins = 0;
  idleSince = 0;
  private readonly logBounds: LogBounds;
  private readonly listeners = new Map<string, Set<(entry: SessionEntry) => void>>();
  private waiters: Waiter[] = [];
  private tail: Tail | null = null;
  private next = 0;
  private isEnd = false;
  private isClosed = false;

  constructor(private readonly options: CursorTableOptions) {
    const { log, topic, partition } = options;
    this.logBounds = new LogBounds(log, topic, partition);
    void this.follow();
  }

  /** The fold has come to the end of the log as it was seen last. */
  get isAtEnd(): boolean {
    return this.isEnd;
  }

  /** Resolves when the fold has passed what was in the log at the call. @throws StreamError LOG_UNAVAILABLE, NOT_READY (given up) */
  async caughtUp(): Promise<void> {
    await this.reached((await this.logBounds.ask()).end);
  }

  /** Resolves when everything below the offset is folded. @throws StreamError NOT_READY (given up) */
  async reached(end: number): Promise<void> {
    if (this.isClosed) throw gone();
    if (this.next >= end) return;
    await new Promise<void>((resolve, reject) => this.waiters.push({ end, resolve, reject }));
  }

  /** @param listener told of the session after each batch that changed it; must not throw. @returns what ends that */
  listen(streamNo: string, session: string, listener: (entry: SessionEntry) => void): () => void {
    const key = `${streamNo}/${session}`;
    const listeners = this.listeners.get(key) ?? new Set();
    this.listeners.set(key, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.listeners.get(key) === listeners) this.listeners.delete(key);
    };
  }

  close(): void {
    this.isClosed = true;
    void this.tail?.close();
    for (const waiter of this.waiters.splice(0)) waiter.reject(gone());
  }

  /** Patient: sessions outlast an outage, and who asks for `caughtUp` learns of one from the log itself. */
  private async follow(): Promise<void> {
    const { log, topic, partition, time, logger } = this.options;
    while (!this.isClosed) {
      try {
        const { start, end } = await log.bounds(topic, partition);
        if (this.isClosed) return;
        this.next = start;
        this.isEnd = start >= end;
        this.wake();
        this.tail = log.tail(topic, partition, start, { onBatch: (batch) => this.take(batch), onJump: (jump) => this.restart(jump) });
        return;
      } catch (error) {
        logger.debug({ topic, partition, err: error }, 'the cursors of named sessions cannot be read; trying again');
        await sleep(time, RETRY_MS);
      }
    }
  }

  private take(batch: LogBatch): void {
    const { logger, topic, partition } = this.options;
    const changed = new Set<SessionEntry>();
    for (const record of batch.records) {
      try {
        const entry = this.fold.fold(record);
        if (entry !== null) changed.add(entry);
      } catch (error) {
        // Nothing of ours, so nothing is lost with it; and nothing stops for it [OWN-7].
        logger.error({ topic, partition, key: record.key.slice(0, 64), offset: record.offset, err: error }, 'a cursor record cannot be read');
      }
    }
    this.next = Math.max(this.next, batch.nextOffset);
    this.isEnd = batch.nextOffset >= batch.highWatermark;
    for (const entry of changed) this.tell(entry);
    this.wake();
  }

  private tell(entry: SessionEntry): void {
    const listeners = this.listeners.get(`${entry.streamNo}/${entry.session}`);
    if (listeners !== undefined) for (const listener of [...listeners]) listener(entry);
  }

  /** Retention passed us by, or the topic is another one: then what it says now is all there is. */
  private restart(jump: { expected: number; start: number; end: number }): void {
    const { logger, topic, partition } = this.options;
    logger.warn({ topic, partition, ...jump }, 'the cursors lost records while they were followed; reading them anew');
    if (jump.end < jump.expected) this.fold.clear();
    void this.tail?.close();
    void this.follow();
  }

  private wake(): void {
    if (this.waiters.length === 0) return;
    const waiting = this.waiters;
    this.waiters = waiting.filter(({ end }) => end > this.next);
    for (const { end, resolve } of waiting) if (end <= this.next) resolve();
  }
}

function gone(): StreamError {
  return new StreamError('NOT_READY', { detail: 'This instance is about to stop.', retryAfterMs: RETRY_MS });
}
