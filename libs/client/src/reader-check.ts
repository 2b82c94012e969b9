import { StreamError, parseCursor } from '@rivulet/protocol';
import type { FinalEvent, FragmentEvent, Merge, ReaderEvent } from '@rivulet/protocol';
import { platform } from './platform-node';
import type { RunningDigest } from './platform';

const encoder = new TextEncoder();

/**
 * Checks what a reader gets, end to end: order without a hole or a repeat [WATCH-1], and at the final event bytes, CRC-32 and digest
 * [WATCH-9] [JUDGE-7]. JSON and `latest` streams are checked for order only: their values are not the bytes that were appended.
 */
export class ReaderCheck {
  /** Of the attempt whose content comes. */
  epoch: number;
  private last: number;
  private merge: Merge | null = null;
  /** Only a reader that saw everything since the beginning, or since a rewind, can check the whole. */
  private isWhole: boolean;
  private bytes = 0;
  private checksum = 0;
  private digest: RunningDigest;

  constructor(from?: string) {
    const cursor = from === undefined ? null : parseCursor(from);
    this.epoch = cursor?.epoch ?? 1;
    this.last = cursor?.sequence ?? 0;
    this.isWhole = this.last === 0;
    this.digest = platform.createDigest();
  }

  /** Last sequence that came. */
  get at(): number {
    return this.last;
  }

  /** @returns the payload of a text or bytes fragment. @throws StreamError when the event cannot be right */
  async accept(event: ReaderEvent): Promise<void> {
    if ('epoch' in event) this.epoch = event.epoch;
    if (event.type === 'stream') this.merge = event.merge;
    else if (event.type === 'rewind') this.rewind();
    else if (event.type === 'fragment') this.fragment(event);
    else if (event.type === 'final') await this.final(event);
  }

  private rewind(): void {
    this.last = 0;
    this.isWhole = true;
    this.bytes = 0;
    this.checksum = 0;
    this.digest = platform.createDigest();
  }

  private fragment(event: FragmentEvent): void {
    if (event.from !== this.last + 1 || event.to < event.from) {
      throw broken(event.streamNo, `Fragments ${event.from}–${event.to} came where ${this.last + 1} was expected.`);
    }
    this.last = event.to;
    const payload = payloadOf(event);
    if (payload === null) this.isWhole = false;
    else this.count(payload);
  }

  private count(payload: Uint8Array): void {
    if (!this.isWhole) return;
    this.bytes += payload.length;
    this.checksum = platform.crc32(payload, this.checksum);
    this.digest.update(payload);
  }

  private async final(event: FinalEvent): Promise<void> {
    if (event.sequence !== this.last) {
      throw broken(event.streamNo, `The stream has ${event.sequence} fragments, ${this.last} came.`);
    }
    if (!this.isWhole || this.merge === 'json' || this.merge === 'latest') return;
    if (event.bytes !== this.bytes) throw broken(event.streamNo, `The stream has ${event.bytes} bytes, ${this.bytes} came.`);
    if (event.checksum !== this.checksum) throw broken(event.streamNo, 'What came is not what was accepted (CRC-32).');
    const digest = event.digest === '' || event.status !== 'ended' ? null : await this.digest.hex();
    if (digest !== null && digest !== event.digest) throw broken(event.streamNo, 'What came is not what the producer sealed (SHA-256).');
  }
}

/** @returns the bytes of a text or bytes fragment; null for items. */
export function payloadOf(event: FragmentEvent): Uint8Array | null {
  if (event.text !== undefined) return encoder.encode(event.text);
  return event.base64 === undefined ? null : platform.fromBase64(event.base64);
}

const broken = (streamNo: string, detail: string): StreamError => new StreamError('CHECKSUM_MISMATCH', { streamNo, detail });
