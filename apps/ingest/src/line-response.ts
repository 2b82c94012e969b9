import type { ServerResponse } from 'node:http';
import { problemOf, StreamError } from '@rivulet/protocol';
import type { AppendAck } from '@rivulet/protocol';
import type { FragmentRun } from './append-entry';

/** What takes over an answer from the framework, once: after that the raw response is ours. */
export interface Hijackable {
  raw: ServerResponse;
  hijack(): unknown;
}

/** An NDJSON answer that is written while the request body still comes. */
export class LineResponse {
  private isBegun = false;

  constructor(private readonly reply: Hijackable, private readonly requestId: string) {}

  get hasBegun(): boolean {
    return this.isBegun;
  }

  get isFull(): boolean {
    return this.reply.raw.writableNeedDrain;
  }

  /** Sends the head, so that the client sees the answer before its body has ended. */
  begin(): void {
    if (this.isBegun) return;
    this.isBegun = true;
    this.reply.hijack();
    const { raw } = this.reply;
    raw.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
    raw.flushHeaders();
    // A client that vanished is noticed where its body is read.
    raw.on('error', () => raw.destroy());
  }

  line(value: object): void {
    this.write(`${JSON.stringify(value)}\n`);
  }

  /** Blank: keeps proxies and idle limits from closing a silent connection. */
  keepAlive(): void {
    this.write('\n');
  }

  write(text: string): void {
    this.begin();
    if (!this.reply.raw.writableEnded && !this.reply.raw.destroyed) this.reply.raw.write(text);
  }

  /** Resolves when the client has read on, or is gone. */
  async drained(): Promise<void> {
    const { raw } = this.reply;
    if (!raw.writableNeedDrain || raw.destroyed) return;
    await new Promise<void>((resolve) => {
      raw.once('drain', resolve);
      raw.once('close', resolve);
    });
  }

  onDrain(listener: () => void): void {
    this.reply.raw.on('drain', listener);
  }

  /** The last line of an answer that ends early; everything acknowledged before it stays. */
  problem(error: unknown): void {
    const problem = problemOf(error, this.requestId);
    if (error instanceof StreamError && error.code === 'STREAM_FINAL' && error.details['status'] === 'cancelled') {
      this.line({ cancelled: true, streamNo: error.details['streamNo'], reason: error.details['reason'] ?? '', problem });
    } else this.line({ problem });
  }

  end(): void {
    this.begin();
    this.reply.raw.end();
  }

  /** Nobody is there to answer. */
  drop(): void {
    if (!this.isBegun) this.reply.hijack();
    this.isBegun = true;
    this.reply.raw.destroy();
  }
}

/** Acknowledgements that were not written yet: consecutive ones become one line, so a client that does not read them costs nothing. */
export class AckLines {
  private pending: AppendAck[] = [];
  private isScheduled = false;

  constructor(private readonly response: LineResponse) {
    response.onDrain(() => this.flush());
  }

  get count(): number {
    return this.pending.length;
  }

  add(run: FragmentRun): void {
    mergeAck(this.pending, ackOf(run));
    if (this.isScheduled) return;
    this.isScheduled = true;
    // All acknowledgements of one flush of the partition come in one go of microtasks: they leave in one write.
    queueMicrotask(() => this.flush());
  }

  flush(): void {
    this.isScheduled = false;
    if (this.pending.length === 0 || this.response.isFull) return;
    this.writeNow();
  }

  /** For the end of the answer: what is left goes out whether the client reads or not. */
  writeNow(): void {
    if (this.pending.length === 0) return;
    this.response.write(this.pending.map((ack) => `${JSON.stringify(ack)}\n`).join(''));
    this.pending = [];
  }
}

export function ackOf(run: FragmentRun): AppendAck {
  const count = run.payloads.length;
  return run.firstSeq === 0 ? { count } : { from: run.firstSeq, to: run.firstSeq + count - 1 };
}

/** Adds an acknowledgement to those that wait, joined with the last one when it continues it. */
export function mergeAck(pending: AppendAck[], ack: AppendAck): void {
  const last = pending.at(-1);
  if (last && 'to' in last && 'to' in ack && ack.from === last.to + 1) last.to = ack.to;
  else if (last && 'count' in last && 'count' in ack) last.count += ack.count;
  else pending.push(ack);
}
