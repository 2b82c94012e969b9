import { StreamError } from '@rivulet/protocol';
import { splitTrailingHalf } from './fragment-text';

/** Text of one lane as it is written, cut anywhere: what is no whole character yet waits for the rest. */
export class LaneText {
  /** First half of a surrogate pair. */
  private half = '';
  private readonly decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  join(text: string): string {
    const { whole, half } = splitTrailingHalf(this.half + text);
    this.half = half;
    return whole;
  }

  /** @throws StreamError UTF8_INVALID */
  decode(bytes: Uint8Array): string {
    return this.decoded(bytes);
  }

  /** @throws StreamError UTF8_INVALID when something is left over */
  end(): void {
    if (this.half !== '') throw new StreamError('UTF8_INVALID', { detail: 'The last write of a lane ended with half a surrogate pair.' });
    this.decoded();
  }

  private decoded(bytes?: Uint8Array): string {
    try {
      return this.decoder.decode(bytes, { stream: bytes !== undefined });
    } catch (cause) {
      const detail = 'A text stream takes UTF-8. For other bytes open it with contentType application/octet-stream.';
      throw new StreamError('UTF8_INVALID', { detail }, { cause });
    }
  }
}
