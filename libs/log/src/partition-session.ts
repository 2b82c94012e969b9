import { LOG_PATTERNS } from './log-patterns';
import type { Log, LogBatch, Tail } from './log';

export interface PartitionSessionOptions {
  log: Log;
  topic: string;
  partition: number;
  /** The session before this one of the same partition. */
  after: Promise<void>;
  call(pattern: string, payload: unknown): Promise<unknown>;
  onTrouble(text: string, error?: unknown): void;
}

const RESTART_MS = 200;
const RESTART_MS_MAX = 5000;

/**
 * One partition from assigned to revoked: ask the app where to start, hand it batches one by one, and start over when a handler failed or
 * the log lost what comes next. Starting over means revoked, then assigned: the app folds afresh, so nothing can be skipped or doubled.
 */
export class PartitionSession {
  readonly partition: number;
  /** Resolves when the session is over and none of its handlers runs. */
  readonly done: Promise<void>;
  private readonly revocation: Promise<void>;
  private signalRevoked!: () => void;
  private isOver = false;
  private revokedCall: Promise<void> | null = null;
  private isAssigned = false;
  private tail: Tail | null = null;
  private running: Promise<void> = Promise.resolve();
  private restartReading: (() => void) | null = null;

  constructor(private readonly options: PartitionSessionOptions) {
    this.partition = options.partition;
    this.revocation = new Promise((resolve) => (this.signalRevoked = resolve));
    this.done = options.after.then(() => this.run());
  }

  get isRevoked(): boolean {
    return this.isOver;
  }

  /** No batch starts after this call, and the app is told before it returns to the loop. @returns when everything is over */
  revoke(): Promise<void> {
    if (!this.isOver) {
      this.isOver = true;
      this.stopReading();
      this.signalRevoked();
    }
    return this.done;
  }

  /** The app lost what it built of this partition: revoked, then assigned once more. Nothing while it is not being read. */
  restart(): void {
    this.restartReading?.();
  }

  private async run(): Promise<void> {
    let restarts = 0;
    while (!this.isOver) {
      const hadProgress = await this.serve();
      restarts = hadProgress ? 0 : restarts + 1;
      if (this.isOver) break;
      const pauseMs = Math.min(RESTART_MS * 2 ** restarts, RESTART_MS_MAX);
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([this.revocation, new Promise((resolve) => (timer = setTimeout(resolve, pauseMs)))]);
      clearTimeout(timer);
    }
  }

  /** From assigned to revoked, once. @returns whether any batch was taken */
  private async serve(): Promise<boolean> {
    let from: unknown;
    let batches = 0;
    try {
      this.isAssigned = true;
      this.revokedCall = null;
      from = await this.options.call(LOG_PATTERNS.assigned, { partition: this.partition });
      if (typeof from !== 'number' || !Number.isSafeInteger(from) || from < 0) throw new TypeError(`not an offset: ${String(from)}`);
      if (!this.isOver) {
        await new Promise<void>((restart) => {
          this.restartReading = restart;
          this.tail = this.options.log.tail(this.options.topic, this.partition, from as number, {
            onBatch: (batch) => {
              batches += 1;
              this.running = this.take(batch, restart);
              return this.running;
            },
            onJump: (jump) => {
              this.options.onTrouble(`the log no longer has offset ${jump.expected} (it has ${jump.start} to ${jump.end})`);
              restart();
            },
          });
          void this.revocation.then(restart);
        });
      }
    } catch (error) {
      // A start that its own revocation cut short is no trouble.
      if (!this.isOver) this.options.onTrouble('the partition could not be started', error);
    }
    this.restartReading = null;
    this.stopReading();
    await this.running;
    await this.revokedCall;
    return batches > 0;
  }

  private async take(batch: LogBatch, restart: () => void): Promise<void> {
    if (this.revokedCall) return;
    try {
      await this.options.call(LOG_PATTERNS.batch, batch);
    } catch (error) {
      this.options.onTrouble(`the batch up to offset ${batch.nextOffset} failed`, error);
      void this.tail?.close();
      restart();
    }
  }

  /** Closes the tail and tells the app, once per assigned. */
  private stopReading(): void {
    void this.tail?.close();
    this.tail = null;
    if (!this.isAssigned || this.revokedCall) return;
    this.revokedCall = this.options.call(LOG_PATTERNS.revoked, { partition: this.partition }).then(
      () => undefined,
      (error) => this.options.onTrouble('the revoked handler failed', error),
    );
  }
}
