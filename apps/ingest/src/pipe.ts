import { createHash } from 'node:crypto';
import { crc32 } from '@rivulet/service';
import { StreamError } from '@rivulet/protocol';
import type { OpenedStream } from '@rivulet/protocol';
import { refusalOf } from './admission';
import type { Route } from './append-entry';
import { ClientGone, IDLE } from './body-reader';
import type { BodyReader } from './body-reader';
import { InFlight } from './in-flight';
import type { LineResponse } from './line-response';
import { PipeCutter } from './pipe-cutter';
import type { PipeOptions } from './pipe-options';
import type { Producing } from './producing';
import { turn } from './turn';

/** Code of the abort record when the input did not come to its end. */
export const PIPE_ABORTED = 'PIPE_ABORTED';
/**
 * Fragments on their way at once. When one has to be sent again the later ones may be in the log already: the judge holds as many as
 * `heldFragmentsMax` (64) for it, and fails the stream beyond.
 */
const IN_FLIGHT_MAX = 32;
/** Between two tries to append while Kafka is away, ms. */
const RETRY_MS = 250;

/**
 * One pipe: opens a stream, appends the input at its pace, ends the stream when the input ends. Numbered here, so what Kafka did not
 * acknowledge is sent again without a duplicate [APPEND-3]. An input that breaks off aborts the stream: half a file must not look whole.
 */
export class Pipe {
  private readonly cutter: PipeCutter;
  private readonly inFlight: InFlight;
  private readonly digest = createHash('sha256');
  private checksum = 0;
  private sequence = 0;
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  /** Monotonic ms of the next tick [APPEND-10]; 0 lets the first fragment go at once. */
  private dueAt = 0;
  private heardAt = performance.now();

  constructor(
    private readonly parts: Producing,
    private readonly opened: OpenedStream,
    private readonly route: Route,
    private readonly options: PipeOptions,
    private readonly body: BodyReader,
    private readonly response: LineResponse,
  ) {
    this.cutter = new PipeCutter(options.open.merge === 'text', route.rules.fragmentBytesMax);
    this.inFlight = new InFlight(parts.settings.windowBytesMax, (error) => body.stop(error), IN_FLIGHT_MAX);
  }

  /** Answers everything by lines; never throws. */
  async run(): Promise<void> {
    const { streamNo, epoch, readToken, links } = this.opened;
    // The reader's link goes out before the first byte comes in.
    this.response.line({ streamNo, epoch, readToken, links });
    const unsubscribe = this.parts.table.onChange(streamNo, (known) => {
      const refusal = refusalOf(known, this.route);
      if (refusal) this.body.stop(refusal);
    });
    const forget = this.parts.connections.add({ kind: 'pipe', stop: (reason) => this.body.stop(reason) });
    try {
      await this.readAll();
      unsubscribe();
      this.response.line(await this.end());
      this.response.end();
    } catch (error) {
      unsubscribe();
      this.parts.metrics.refusedFor(error);
      await this.fail(error);
    } finally {
      forget();
    }
  }

  private async readAll(): Promise<void> {
    for (;;) {
      const bytes = await this.body.next(this.waitMs());
      if (bytes === IDLE) await this.tick();
      else if (bytes === null) break;
      else await this.take(bytes);
    }
    await this.append();
    this.cutter.end();
    await this.inFlight.settled();
    if (this.body.stopped) throw this.body.stopped;
  }

  private waitMs(): number {
    const { keepAliveMs } = this.parts.settings;
    return this.pendingBytes > 0 ? Math.max(1, this.dueAt - performance.now()) : keepAliveMs;
  }

  private async take(bytes: Buffer): Promise<void> {
    this.heardAt = performance.now();
    this.pending.push(bytes);
    this.pendingBytes += bytes.length;
    // Pacing is for readers, not a throttle: a fast input does not wait for its tick.
    if (this.heardAt >= this.dueAt || this.pendingBytes >= this.route.rules.fragmentBytesMax) await this.append();
  }

  private async tick(): Promise<void> {
    if (this.pendingBytes > 0) return this.append();
    const { pipeIdleMsMax } = this.parts.settings;
    if (performance.now() - this.heardAt > pipeIdleMsMax) {
      throw new StreamError('BODY_TIMEOUT', { detail: `No byte came for ${pipeIdleMsMax} ms.` });
    }
    this.response.keepAlive();
  }

  /** Everything that came since the last tick. */
  private async append(): Promise<void> {
    if (this.pendingBytes === 0) return;
    const { appender } = this.parts;
    const { partition } = this.route;
    const merged = this.pending.length === 1 ? this.pending[0]! : Buffer.concat(this.pending);
    this.pending = [];
    this.pendingBytes = 0;
    this.dueAt = performance.now() + this.options.intervalMs;
    for (const payload of this.cutter.cut(merged)) {
      this.checksum = crc32(payload, this.checksum);
      this.digest.update(payload);
      this.sequence += 1;
      const run = { firstSeq: this.sequence, lane: '', payloads: [payload], bytes: payload.length };
      if (this.route.quota) await this.turn(this.route.quota.reserveAppend(run.bytes, 1));
      if (!appender.hasRoom(partition, run.bytes)) await this.body.unlessStopped(() => appender.room(partition, run.bytes));
      await this.inFlight.room();
      const appended = this.untilDurable(() => appender.append(this.route, run));
      this.inFlight.add(run.bytes, appended, () => this.parts.metrics.acknowledged(run));
    }
  }

  private async turn(waitMs: number): Promise<void> {
    if (waitMs > 0) await this.body.unlessStopped(() => turn(waitMs, () => this.response.keepAlive(), () => this.body.stopped !== null));
  }

  /** curl cannot resend, so the pipe does while Kafka is away; meanwhile it does not read. */
  private async untilDurable<T>(append: () => Promise<T>): Promise<T> {
    const giveUpAt = performance.now() + this.parts.settings.pipeStallMsMax;
    for (;;) {
      try {
        return await append();
      } catch (error) {
        const isPassing = error instanceof StreamError && error.row.next === 'retry';
        if (!isPassing || this.body.stopped || performance.now() > giveUpAt) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  private async end(): Promise<object> {
    const digest = this.digest.digest('hex');
    if (this.options.digest !== '' && this.options.digest !== digest) {
      throw new StreamError('CHECKSUM_MISMATCH', { detail: `The input has the SHA-256 ${digest}, not the one of the query.` });
    }
    const seal = { lastSeq: this.sequence, checksum: this.checksum, digest };
    const verdict = await this.untilDurable(() => this.parts.verdicts.sealAsEnd(this.route, seal));
    return { ...verdict, digest };
  }

  private async fail(error: unknown): Promise<void> {
    await this.abort(error);
    if (error instanceof ClientGone) return this.response.drop();
    this.body.linger(this.parts.settings.lingerMsMax);
    this.response.problem(error);
    this.response.end();
  }

  /** Tells the readers. A stream that is final, or another's by now, needs no abort; what cannot be written now, its lease tells later. */
  private async abort(error: unknown): Promise<void> {
    const code = error instanceof StreamError ? error.code : PIPE_ABORTED;
    if (code === 'STREAM_FINAL' || code === 'STALE_EPOCH' || code === 'STREAM_GONE') return;
    const isOfInput = code === 'UTF8_INVALID' || code === 'CHECKSUM_MISMATCH' || code === 'BODY_INVALID';
    const { streamNo, partition, epoch } = this.route;
    const record = { kind: 'abort', epoch, code: isOfInput ? code : PIPE_ABORTED, message: isOfInput ? '' : code } as const;
    try {
      await this.parts.appender.seal(streamNo, partition, record);
    } catch (cause) {
      this.parts.metrics.refusedFor(cause);
    }
  }
}

