import { StreamError } from '@rivulet/protocol';
import { refusalOf } from './admission';
import type { Route } from './append-entry';
import { ClientGone, IDLE } from './body-reader';
import type { BodyReader } from './body-reader';
import { InFlight } from './in-flight';
import type { Lifeline } from './leases';
import { AckLines } from './line-response';
import type { LineResponse } from './line-response';
import { NdjsonReader } from './ndjson-reader';
import type { Line } from './ndjson-reader';
import { invalid, parseLine, RunPacker, tooLarge } from './parse-append';
import type { Producing } from './producing';
import { turn } from './turn';

/** JSON may spell one byte as six (\u0000), and the member names need some more. */
const LINE_BYTES_PER_BYTE = 6;
const LINE_BYTES_EXTRA = 4096;
/** Acknowledgements that wait for a client which does not read them; consecutive ones are one. */
const ACKS_MAX = 1024;

/**
 * One NDJSON request: unbounded, read only as fast as the log takes it, acknowledged while it is sent. A line that cannot be taken ends
 * the answer with a problem line; everything acknowledged before it stays.
 */
export class NdjsonAppend {
  private readonly reader: NdjsonReader;
  private readonly packer = new RunPacker(true);
  private readonly acks: AckLines;
  private readonly inFlight: InFlight;
  private readonly lifeline: Lifeline;
  private lineNumber = 0;

  constructor(
    private readonly parts: Producing,
    private readonly route: Route,
    private readonly body: BodyReader,
    private readonly response: LineResponse,
  ) {
    this.reader = new NdjsonReader(route.rules.fragmentBytesMax * LINE_BYTES_PER_BYTE + LINE_BYTES_EXTRA);
    this.acks = new AckLines(response);
    this.inFlight = new InFlight(parts.settings.windowBytesMax, (error) => body.stop(error));
    this.lifeline = parts.leases.connect();
    this.lifeline.hold(route);
  }

  /** @throws what can still be answered by a status, because no line was written yet */
  async run(): Promise<void> {
    const { connections, table, metrics } = this.parts;
    // A cancel, or a newer attempt, reaches an open request at once and not with its next line.
    const unsubscribe = table.onChange(this.route.streamNo, (known) => {
      const refusal = refusalOf(known, this.route);
      if (refusal) this.body.stop(refusal);
    });
    const forget = connections.add({ kind: 'ndjson', stop: (reason) => this.body.stop(reason) });
    try {
      await this.readAll();
      this.acks.writeNow();
      this.response.end();
    } catch (error) {
      metrics.refusedFor(error);
      await this.fail(error);
    } finally {
      unsubscribe();
      forget();
    }
  }

  private async readAll(): Promise<void> {
    const { ndjsonIdleMsMax } = this.parts.settings;
    for (let isEnded = false; !isEnded; ) {
      const bytes = await this.body.next(ndjsonIdleMsMax);
      if (bytes === IDLE) throw new StreamError('BODY_TIMEOUT', { detail: `No byte came for ${ndjsonIdleMsMax} ms.` });
      isEnded = bytes === null;
      if (bytes !== null) this.lifeline.prove();
      const fault = this.parse(bytes === null ? this.reader.end() : this.reader.take(bytes));
      await this.append();
      if (fault) throw fault;
      if (this.acks.count > ACKS_MAX) await this.response.drained();
    }
    await this.inFlight.settled();
    if (this.inFlight.failure) throw this.inFlight.failure;
  }

  /** @returns the fault of the first line that cannot be taken; those before it are packed */
  private parse(lines: Line[]): StreamError | null {
    const { rules } = this.route;
    for (const line of lines) {
      this.lineNumber += 1;
      const place = `line ${this.lineNumber}`;
      if (typeof line !== 'string') {
        return line.fault === 'utf8' ? new StreamError('UTF8_INVALID', { detail: `${place} is not UTF-8.`, place }) : tooLarge(rules, place);
      }
      // [APPEND-7] A blank line is a heartbeat. It also shows the client that it is heard.
      if (line === '') this.response.begin();
      else {
        const fault = this.pack(line, place);
        if (fault) return fault;
      }
    }
    return null;
  }

  private pack(line: string, place: string): StreamError | null {
    try {
      this.packer.add(parseLine(line, place), this.route.rules, place);
      return null;
    } catch (error) {
      return error instanceof StreamError ? error : invalid(place, 'cannot be read');
    }
  }

  private async append(): Promise<void> {
    const { appender, metrics } = this.parts;
    const { partition, streamNo } = this.route;
    for (const run of this.packer.take()) {
      if (this.route.quota) await this.turn(this.route.quota.reserveAppend(run.bytes, run.payloads.length));
      // [APPEND-5] Not read instead of refused: while this waits nothing more is taken from the socket.
      if (!appender.hasRoom(partition, run.bytes)) await this.body.unlessStopped(() => appender.room(partition, run.bytes));
      if (this.inFlight.isFull) await this.inFlight.room();
      if (this.body.stopped) throw this.body.stopped;
      const startedAt = performance.now();
      this.lifeline.wrote(streamNo, startedAt);
      this.inFlight.add(run.bytes, appender.append(this.route, run), () => {
        metrics.acknowledged(run);
        metrics.took(startedAt);
        this.acks.add(run);
      });
    }
  }

  private async turn(waitMs: number): Promise<void> {
    if (waitMs <= 0) return;
    const heldBack = (): void => {
      this.lifeline.prove();
      this.body.heldBack();
    };
    await this.body.unlessStopped(() => turn(waitMs, heldBack, () => this.body.stopped !== null));
  }

  private async fail(error: unknown): Promise<void> {
    if (error instanceof ClientGone) return this.response.drop();
    // What is on its way becomes durable or not, and is acknowledged first: the problem is the last line.
    await this.inFlight.settled();
    this.acks.writeNow();
    this.body.linger(this.parts.settings.lingerMsMax);
    if (!this.response.hasBegun) throw error;
    this.response.problem(error);
    this.response.end();
  }
}
