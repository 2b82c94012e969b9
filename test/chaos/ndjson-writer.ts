/** A raw producer of many small fragments: one NDJSON request after the other, each going on after what was acknowledged [APPEND-3]. */
import { request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { setTimeout as elapse } from 'node:timers/promises';

/** Fragments that are not acknowledged yet. */
const WINDOW = 1000;
const TICK_MS = 50;
/** Nothing is acknowledged for this long: the connection is given up. */
const SILENCE_MS_MAX = 12_000;
const PAUSE_MS = 200;

export interface NdjsonOptions {
  url: string;
  streamNo: string;
  writeToken: string;
  perSecond: number;
  payload(sequence: number): string;
  onAcknowledged(from: number, to: number): void;
  /** Asked before each tick; true: no further fragments than those already sent. */
  isOver(): boolean;
}

/** One connection: sends at its pace from `first` on until it is told to stop or breaks. */
class Connection {
  acknowledged: number;
  problem: { code: string; next: string } | null = null;
  isEnded = false;
  private readonly request: ClientRequest;
  private heardAt = performance.now();
  private unread = '';

  constructor(private readonly options: NdjsonOptions, first: number) {
    this.acknowledged = first - 1;
    const { url, streamNo, writeToken } = options;
    this.request = httpRequest(`${url}/v1/streams/${streamNo}/fragments`, {
      method: 'POST', agent: false, headers: { 'content-type': 'application/x-ndjson', authorization: `Bearer ${writeToken}` },
    }, (response) => this.read(response));
    this.request.on('error', () => { this.isEnded = true; });
    this.request.on('close', () => { this.isEnded = true; });
    this.request.flushHeaders();
  }

  get isSilent(): boolean {
    return performance.now() - this.heardAt > SILENCE_MS_MAX;
  }

  send(from: number, to: number): void {
    const lines: string[] = [];
    for (let seq = from; seq <= to; seq++) lines.push(`${JSON.stringify({ seq, data: this.options.payload(seq) })}\n`);
    this.request.write(lines.join(''));
  }

  /** Nothing is on its way: silence means nothing. */
  keep(): void {
    this.heardAt = performance.now();
  }

  finish(): void {
    this.request.end();
  }

  cut(): void {
    this.request.destroy();
  }

  private read(response: IncomingMessage): void {
    response.setEncoding('utf8');
    response.on('error', () => { this.isEnded = true; });
    response.on('close', () => { this.isEnded = true; });
    response.on('data', (text: string) => {
      this.heardAt = performance.now();
      const lines = (this.unread + text).split('\n');
      this.unread = lines.pop()!;
      for (const line of lines) if (line !== '') this.take(JSON.parse(line) as Record<string, unknown>);
    });
    response.on('end', () => {
      // An answer that is no list of lines: a problem as a whole.
      if (this.unread !== '') this.take(response.statusCode === 200 ? JSON.parse(this.unread) : { problem: JSON.parse(this.unread) });
    });
  }

  private take(line: Record<string, unknown>): void {
    if (line['problem']) this.problem = line['problem'] as Connection['problem'];
    if (typeof line['to'] !== 'number') return;
    this.options.onAcknowledged(line['from'] as number, line['to']);
    this.acknowledged = Math.max(this.acknowledged, line['to']);
  }
}

/** Writes until it is over and everything sent is acknowledged. @returns the last sequence. @throws when it must not go on */
export async function writeNdjson(options: NdjsonOptions): Promise<number> {
  const startedAt = performance.now();
  let acknowledged = 0;
  let written = 0;
  for (let isDone = false; !isDone;) {
    const connection = new Connection(options, acknowledged + 1);
    let sent = acknowledged;
    while (!connection.isEnded && !connection.isSilent) {
      if (!options.isOver()) written = Math.max(written, Math.floor(((performance.now() - startedAt) * options.perSecond) / 1000));
      const to = Math.min(written, connection.acknowledged + WINDOW);
      if (to > sent) connection.send(sent + 1, to);
      sent = Math.max(sent, to);
      if (connection.acknowledged === sent) connection.keep();
      isDone = options.isOver() && connection.acknowledged === written;
      if (isDone) break;
      await elapse(TICK_MS);
    }
    acknowledged = connection.acknowledged;
    if (isDone) connection.finish();
    else connection.cut();
    if (connection.problem && connection.problem.next !== 'retry') throw new Error(`${options.streamNo}: ${JSON.stringify(connection.problem)}`);
    if (!isDone) await elapse(PAUSE_MS);
  }
  return written;
}
