import { StreamError } from '@rivulet/protocol';
import type { Producer } from '@rivulet/client';

interface Run { lane: string | undefined; parts: (string | Uint8Array)[] }
export interface Pace {
  /** 0: every write is a fragment. */
  intervalMs: number;
  bytesMax: number;
}

const PART_TEXT = 'This stream takes text; open it with another contentType in definePlugin, stream, for anything else.';

/**
 * [APPEND-10] What a plugin writes within a tick leaves together, the first at once: one fragment per tick, or one per run of a lane, in
 * the order of the writes. JSON values are never joined.
 */
export class PacedWriter {
  private runs: Run[] = [];
  private bytes = 0;
  private timer: NodeJS.Timeout | null = null;
  private room: Promise<unknown> = Promise.resolve();

  constructor(private readonly producer: Producer, private readonly pace: Pace, private readonly kind: 'text' | 'bytes' | 'json') {}

  /** @returns when there is room for more */
  async write(content: unknown, lane: string | undefined): Promise<void> {
    this.check(content);
    if (this.kind === 'json' || this.pace.intervalMs === 0) return this.producer.write(content, { lane });
    const part = content as string | Uint8Array;
    const last = this.runs.at(-1);
    if (last && last.lane === lane) last.parts.push(part);
    else this.runs.push({ lane, parts: [part] });
    this.bytes += part.length;
    if (this.timer === null) this.tick();
    else if (this.bytes >= this.pace.bytesMax) this.take();
    await this.room;
  }

  /** @returns when everything written so far is durable */
  async flush(): Promise<void> {
    this.close();
    this.take();
    await this.room;
    await this.producer.flush();
  }

  /** What waits is dropped. */
  drop(): void {
    this.close();
    this.runs = [];
    this.bytes = 0;
  }

  private check(content: unknown): void {
    if (this.kind === 'text' && typeof content !== 'string') throw new StreamError('BODY_INVALID', { detail: PART_TEXT });
    if (this.kind === 'bytes' && !(content instanceof Uint8Array) && typeof content !== 'string') {
      throw new StreamError('BODY_INVALID', { detail: 'This stream takes bytes.' });
    }
  }

  private close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private tick(): void {
    this.timer = null;
    if (this.take()) this.timer = setTimeout(() => this.tick(), this.pace.intervalMs);
  }

  private take(): boolean {
    if (this.runs.length === 0) return false;
    const writes = this.runs.map(({ lane, parts }) => this.producer.write(join(parts), { lane }));
    this.runs = [];
    this.bytes = 0;
    const room = Promise.all([this.room, ...writes]);
    // The next write or flush meets the failure; here it would only be unhandled.
    room.catch(() => undefined);
    this.room = room;
    return true;
  }
}

function join(parts: readonly (string | Uint8Array)[]): string | Uint8Array {
  if (parts.every((part) => typeof part === 'string')) return parts.join('');
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
}
