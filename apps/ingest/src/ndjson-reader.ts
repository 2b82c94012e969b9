import { isUtf8 } from 'node:buffer';

const NEWLINE = 10;

/** A line that is not UTF-8, or longer than allowed: reported in its place, after the good lines before it. */
export type BrokenLine = { fault: 'utf8' | 'length' };
export type Line = string | BrokenLine;

/**
 * Bytes as they come → lines. What completes lines is decoded in one piece, which costs a fraction of decoding line by line.
 * Memory: one incomplete line of at most lineBytesMax.
 */
export class NdjsonReader {
  private carry: Buffer[] = [];
  private carriedBytes = 0;

  constructor(private readonly lineBytesMax: number) {}

  /** @returns the lines these bytes complete, '' for blank ones (heartbeats). Nothing is read after a broken one. */
  take(bytes: Buffer): Line[] {
    const end = bytes.lastIndexOf(NEWLINE);
    if (end === -1) {
      this.carry.push(bytes);
      this.carriedBytes += bytes.length;
      return this.carriedBytes > this.lineBytesMax ? [{ fault: 'length' }] : [];
    }
    const region = this.withCarry(bytes.subarray(0, end));
    if (end + 1 < bytes.length) {
      this.carry.push(bytes.subarray(end + 1));
      this.carriedBytes = bytes.length - end - 1;
    }
    const lines = this.decode(region);
    // The incomplete line behind them counts too: one network read may hold more than a line may.
    if (this.carriedBytes > this.lineBytesMax) lines.push({ fault: 'length' });
    return lines;
  }

  /** @returns the last line when it has no newline */
  end(): Line[] {
    if (this.carriedBytes === 0) return [];
    return this.decode(this.withCarry(Buffer.alloc(0)));
  }

  private withCarry(bytes: Buffer): Buffer {
    if (this.carry.length === 0) return bytes;
    const whole = Buffer.concat([...this.carry, bytes]);
    this.carry = [];
    this.carriedBytes = 0;
    return whole;
  }

  private decode(region: Buffer): Line[] {
    // The whole region is no longer than one line may be in the usual case: then neither is any of its lines.
    const isShort = region.length <= this.lineBytesMax;
    if (isShort && isUtf8(region)) return region.toString('utf8').split('\n').map(trimmed);
    return this.decodeSlowly(region);
  }

  private decodeSlowly(region: Buffer): Line[] {
    const lines: Line[] = [];
    for (let start = 0; start <= region.length; ) {
      const found = region.indexOf(NEWLINE, start);
      const end = found === -1 ? region.length : found;
      const line = region.subarray(start, end);
      if (line.length > this.lineBytesMax) return [...lines, { fault: 'length' }];
      if (!isUtf8(line)) return [...lines, { fault: 'utf8' }];
      lines.push(trimmed(line.toString('utf8')));
      start = end + 1;
    }
    return lines;
  }
}

/** Of a line only the carriage return and blanks around it go; JSON.parse would take them, but a blank line is a heartbeat. */
function trimmed(line: string): string {
  const last = line.charCodeAt(line.length - 1);
  return last === 125 /* } */ ? line : line.trim();
}
