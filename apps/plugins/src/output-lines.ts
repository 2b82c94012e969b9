import type { Readable } from 'node:stream';

const LINE_BYTES_MAX = 8_192;
const BYTES_PER_SECOND = 262_144;

/**
 * What a plugin prints, by lines. Bounded: the rest of a line that is too long is dropped, and a plugin that prints more than so much in a
 * second is not read on until the next, so that it waits and not the host.
 */
export class OutputLines {
  private rest = '';
  private isDropping = false;
  private bytes = 0;

  constructor(private readonly output: Readable, private readonly onLine: (line: string) => void) {
    output.setEncoding('utf8');
    output.on('data', (text: string) => this.take(text));
    output.on('end', () => { if (this.rest !== '') this.onLine(this.rest); });
    output.on('error', () => undefined);
  }

  private take(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!this.isDropping) this.onLine(line.slice(0, LINE_BYTES_MAX));
      this.isDropping = false;
    }
    if (this.rest.length > LINE_BYTES_MAX) {
      if (!this.isDropping) this.onLine(this.rest.slice(0, LINE_BYTES_MAX));
      this.isDropping = true;
      this.rest = '';
    }
    this.slowDown(text.length);
  }

  private slowDown(bytes: number): void {
    if (this.bytes === 0) setTimeout(() => { this.bytes = 0; this.output.resume(); }, 1_000).unref();
    this.bytes += bytes;
    if (this.bytes > BYTES_PER_SECOND) this.output.pause();
  }
}
