import { isUtf8 } from 'node:buffer';
import { completeUtf8Length, StreamError } from '@rivulet/protocol';

/**
 * Cuts what a pipe brings into fragments. [APPEND-9] Text is cut at code points: the network cuts anywhere, and each fragment
 * must be valid alone.
 */
export class PipeCutter {
  /** At most three bytes of a code point that is not complete. */
  private carry: Buffer | null = null;
  private takenBytes = 0;

  constructor(private readonly isText: boolean, private readonly fragmentBytesMax: number) {}

  /** @throws StreamError UTF8_INVALID */
  cut(bytes: Buffer): Buffer[] {
    const whole = this.carry ? Buffer.concat([this.carry, bytes]) : bytes;
    const length = this.isText ? completeUtf8Length(whole) : whole.length;
    // Copied: three bytes would otherwise hold the whole network read.
    this.carry = length < whole.length ? Buffer.from(whole.subarray(length)) : null;
    const complete = whole.subarray(0, length);
    if (this.isText && !isUtf8(complete)) throw this.invalid();
    this.takenBytes += length;
    return this.split(complete);
  }

  /** @throws StreamError UTF8_INVALID when the input ended inside a code point */
  end(): void {
    if (this.carry) throw this.invalid();
  }

  private split(complete: Buffer): Buffer[] {
    const fragments: Buffer[] = [];
    for (let start = 0; start < complete.length; ) {
      const most = complete.subarray(start, start + this.fragmentBytesMax);
      const length = this.isText && start + most.length < complete.length ? completeUtf8Length(most) : most.length;
      fragments.push(most.subarray(0, length));
      start += length;
    }
    return fragments;
  }

  private invalid(): StreamError {
    const detail = `The text is not UTF-8 after byte ${this.takenBytes}.`;
    return new StreamError('UTF8_INVALID', { detail, afterByte: this.takenBytes });
  }
}
