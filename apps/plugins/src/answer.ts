import { randomUUID } from 'node:crypto';
import { setTimeout as elapse } from 'node:timers/promises';
import { Producer } from '@rivulet/client';
import { StreamError } from '@rivulet/protocol';
import type { HistoryTurn, PluginFacts } from '@rivulet/plugin-sdk';
import type { AllocatorPort } from '@rivulet/service';
import { PacedWriter } from './paced-writer';
import { PluginFailure } from './plugin-failure';
import type { PluginHost } from './plugin-host';
import type { AnswerSink, Running } from './plugin-process';
import type { AnswerRow } from './plugin-report';
import type { RequestRecord } from './request-record';

/** An attempt of a stream that is ours to write. */
export interface Attempt { epoch: number; attemptId: string; writeToken: string; next: number; bytes: number; checksum: number }
export interface AnswerParts {
  request: RequestRecord;
  attempt: Attempt;
  /** As it is now: a plugin that was loaded again is another one. */
  plugin(): PluginHost | undefined;
  facts: PluginFacts;
  allocator: Pick<AllocatorPort, 'retry'>;
  ingestUrl: string;
  history(channel: string, turnsMax: number): Promise<HistoryTurn[]>;
  /** The plugin wrote for the first time. */
  onBegun(): void;
  /** Resolves when it may begin: the plugin's limit of answers at once. */
  turn(): Promise<() => void>;
}

type Progress = Parameters<AnswerSink['progress']>[0];

const RETRY_MS = 200;
/** How long a plugin that was told to stop may go on before its turn is given to the next. */
const STOP_MS_MAX = 2_000;

/**
 * One request being answered here. It holds an epoch of the stream and may lose it at any moment to a cancel, a newer attempt or an end:
 * then it stops and writes nothing more; the judge refuses whatever was on its way [JUDGE-4].
 * States: waiting for its turn → answering ⇄ the next attempt → over.
 */
export class Answer implements AnswerSink {
  readonly startedAt = Date.now();
  private progressed: Progress | null = null;
  private hasTurn = false;
  private producer: Producer;
  private writer: PacedWriter;
  private running: Running | null = null;
  private stopped: PluginFailure | null = null;
  private failed: PluginFailure | null = null;
  private hasWritten = false;
  private readonly facts: PluginFacts;
  private readonly attemptIds = new Set<string>();
  private onStop: () => void = () => undefined;
  private readonly stopping: Promise<void>;

  constructor(private readonly parts: AnswerParts) {
    this.facts = parts.facts;
    this.stopping = new Promise((resolve) => { this.onStop = resolve; });
    // From here on the lease is kept, also while the answer waits for its turn.
    this.producer = this.produce(parts.attempt);
    this.writer = this.pace();
  }

  /** Whether it has its turn: before that it waits. */
  get isBegun(): boolean {
    return this.hasTurn;
  }

  /** Of what ended it, once it is over; '' when it ended in order. */
  get code(): string {
    return (this.stopped ?? this.failed)?.code ?? '';
  }

  get epoch(): number {
    return this.producer.epoch;
  }

  /** @returns whether that epoch of the stream is one this answer started */
  holds(epoch: number, attemptId: string): boolean {
    return epoch <= this.epoch || this.attemptIds.has(attemptId);
  }

  /** Tells the plugin, at once. What it still writes is dropped. */
  stop(code: string, message: string): void {
    if (this.stopped) return;
    this.stopped = new PluginFailure(code, message);
    this.writer.drop();
    this.running?.stop(code, message);
    this.onStop();
  }

  /** @returns how it went, for logs and metrics: `ended`, `failed`, `stopped` */
  async run(): Promise<'ended' | 'failed' | 'stopped'> {
    const turn = this.parts.turn();
    await Promise.race([turn, this.stopping]);
    this.hasTurn = true;
    try {
      return this.stopped ? 'stopped' : await this.attempts();
    } finally {
      // Also one that is granted only later, to an answer that has been stopped meanwhile.
      void turn.then((release) => release());
      this.writer.drop();
      this.producer.retire();
    }
  }

  async write(content: unknown, lane: string | undefined): Promise<void> {
    if (this.stopped) throw this.stopped;
    if (!this.hasWritten) this.parts.onBegun();
    this.hasWritten = true;
    await this.writer.write(content, lane);
  }

  async flush(): Promise<void> {
    if (this.stopped) throw this.stopped;
    await this.writer.flush();
  }

  async rewind(): Promise<void> {
    if (this.stopped) throw this.stopped;
    await this.nextAttempt('none', 'the plugin rewound');
  }

  progress(progress: Progress): void {
    this.progressed = progress;
  }

  /** For operators: what it is doing now. */
  get row(): AnswerRow {
    const { streamNo, plugin, channel } = this.parts.request;
    const { done, total, note } = this.progressed ?? {};
    const state = this.hasTurn ? 'answering' : 'waiting';
    return {
      streamNo, plugin, channel, state, epoch: this.epoch, startedAt: this.startedAt,
      ...(done === undefined ? {} : { done }), ...(total === undefined ? {} : { total }),
      ...(note === undefined ? {} : { note: this.parts.plugin()?.log.redact(note) ?? '' }),
    };
  }

  history(channel: string, turnsMax: number): Promise<HistoryTurn[]> {
    // Only of the channel the request is in: a plugin cannot look elsewhere.
    return channel === this.parts.request.channel ? this.parts.history(channel, turnsMax) : Promise.resolve([]);
  }

  private async attempts(): Promise<'ended' | 'failed' | 'stopped'> {
    const { attempts, keep } = this.facts.onFailure;
    for (;;) {
      try {
        const metadata = await this.attempt();
        if (this.stopped) return 'stopped';
        await this.writer.flush();
        await this.producer.end(metadataOf(metadata));
        return 'ended';
      } catch (error) {
        if (this.stopped || isLost(error) || this.producer.signal.aborted) return 'stopped';
        const failure = error instanceof PluginFailure ? error : new PluginFailure((error as StreamError).code ?? 'INTERNAL', (error as Error).message);
        // A crash is the process's, and may not repeat; so is a throw. A time-out is the plugin's limit, and does.
        if (this.epoch >= attempts || failure.isFinal || failure.code === 'PLUGIN_TIMEOUT') return await this.abort(failure);
        await elapse(RETRY_MS * 2 ** (this.epoch - 1));
        if (this.stopped) return 'stopped';
        await this.nextAttempt(keep, failure.message);
      }
    }
  }

  private async attempt(): Promise<unknown> {
    if (this.stopped) throw this.stopped;
    const { request } = this.parts;
    const process = await this.process();
    this.running = process.receive({
      streamNo: request.streamNo, channel: request.channel, input: request.input, inReplyTo: request.inReplyTo ?? '', attempt: this.epoch, written: this.written,
    }, this);
    const limit = new AbortController();
    try {
      return await Promise.race([this.running.done, this.outOfTime(limit.signal), this.outOfPatience(limit.signal)]);
    } catch (error) {
      throw (error as { code?: string }).code === 'PLUGIN_TIMEOUT' ? timedOut(request.plugin, this.facts.limits.timeoutMs) : error;
    } finally {
      limit.abort();
      this.running = null;
    }
  }

  /** The plugin's own limit: it is told, and then no longer waited for. */
  private async outOfTime(signal: AbortSignal): Promise<never> {
    const { timeoutMs } = this.facts.limits;
    await passed(timeoutMs, signal);
    this.running?.stop('PLUGIN_TIMEOUT', `The answer took longer than ${timeoutMs} ms.`);
    await passed(STOP_MS_MAX, signal);
    throw timedOut(this.parts.request.plugin, timeoutMs);
  }

  private async outOfPatience(signal: AbortSignal): Promise<never> {
    await this.stopping;
    await passed(STOP_MS_MAX, signal);
    throw this.stopped!;
  }

  /** Of a plugin that is being started again: waits until it runs, the lease kept meanwhile. */
  private async process(): Promise<NonNullable<PluginHost['running']>> {
    const deadline = performance.now() + this.facts.limits.timeoutMs;
    for (;;) {
      const plugin = this.parts.plugin();
      if (plugin?.running) return plugin.running;
      if (this.stopped) throw this.stopped;
      if (performance.now() > deadline) throw new PluginFailure('PLUGIN_NOT_RUNNING', `${this.parts.request.plugin} does not run: ${plugin?.state ?? 'MISSING_ON_HOST'}.`);
      await Promise.race([elapse(50), this.stopping]);
    }
  }

  private written = { sequence: 0, bytes: 0 };

  private produce(attempt: Attempt): Producer {
    this.written = { sequence: attempt.next - 1, bytes: attempt.bytes };
    const { epoch, writeToken, next, checksum } = attempt;
    const { streamNo } = this.parts.request;
    const producer = new Producer({ url: this.parts.ingestUrl, fetch }, { streamNo, epoch, writeToken, next, checksum });
    const lost = (): void => {
      if (this.producer !== producer || this.stopped) return;
      const { code, message } = producer.signal.reason as StreamError;
      this.stop(code ?? 'INTERNAL', message);
    };
    producer.signal.addEventListener('abort', lost, { once: true });
    return producer;
  }

  private pace(): PacedWriter {
    const { stream, pace } = this.facts;
    const merge = stream.merge ?? (stream.contentType.startsWith('text/') ? 'text' : stream.contentType === 'application/json' ? 'json' : 'bytes');
    return new PacedWriter(this.producer, pace, merge === 'latest' ? 'json' : merge);
  }

  /** The same stream, one epoch on: what the last attempt still has on its way is refused by everyone alike. */
  private async nextAttempt(keep: 'none' | 'all', reason: string): Promise<void> {
    this.writer.drop();
    const { streamNo } = this.parts.request;
    const attemptId = randomUUID();
    this.attemptIds.add(attemptId);
    const started = await this.parts.allocator.retry({ streamNo, epoch: this.epoch, attemptId, keep, reason: reason.slice(0, 200) });
    if (this.stopped) throw this.stopped;
    const before = this.producer;
    this.producer = this.produce({ ...started, attemptId });
    this.writer = this.pace();
    before.retire();
  }

  private async abort(failure: PluginFailure): Promise<'failed'> {
    this.failed = failure;
    await this.writer.flush().catch(() => undefined);
    await this.producer.abort(failure.code, (this.parts.plugin()?.log.redact(failure.message) ?? '').slice(0, 500));
    return 'failed';
  }
}

/** Never, once the signal has fired. */
const passed = (ms: number, signal: AbortSignal): Promise<void> => new Promise((resolve) => {
  if (signal.aborted) return;
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
});

const timedOut = (name: string, ms: number): PluginFailure => new PluginFailure('PLUGIN_TIMEOUT', `${name} took longer than ${ms} ms.`);

/** Another attempt, or the end, was there first. */
function isLost(error: unknown): boolean {
  return error instanceof StreamError && ['STREAM_FINAL', 'STALE_EPOCH', 'WRITER_CONFLICT', 'RETRY_CONFLICT', 'STREAM_GONE', 'EPOCH_UNKNOWN'].includes(error.code);
}

function metadataOf(value: unknown): Record<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
}
