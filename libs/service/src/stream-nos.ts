import { randomBytes } from 'node:crypto';
import { issueStreamNo, verifyStreamNo } from '@rivulet/protocol';
import { hmac } from './hashing';

/** Parsed and verified streamNos kept, so that a streamNo costs its HMAC once per process and not once per fragment. */
const VERIFIED_MAX = 50_000;

export interface VerifiedStreamNo {
  /** Ms since the epoch. */
  readonly time: number;
  readonly partition: number;
}

/** Issues and verifies streamNos with the keys of this installation [NO-1, NO-2]. */
export class StreamNos {
  private readonly macs: ((bytes: Uint8Array) => Uint8Array)[];
  private readonly verified = new Map<string, VerifiedStreamNo>();

  /** @param keys the first issues, all verify (rotation) */
  constructor(keys: readonly Uint8Array[]) {
    this.macs = keys.map(hmac);
  }

  /** @param parts.random 5 bytes of which the top 36 bits are used; random unless derived from an idempotency key */
  issue(parts: { time: number; partition: number; random?: Uint8Array }): string {
    const [mac] = this.macs;
    if (!mac) throw new Error('no streamNo key');
    return issueStreamNo({ random: randomBytes(5), ...parts }, mac);
  }

  /** @throws StreamError STREAM_NO_NOT_ISSUED [NO-2] */
  verify(streamNo: string): VerifiedStreamNo {
    const known = this.verified.get(streamNo);
    if (known) return known;
    const { time, partition } = verifyStreamNo(streamNo, this.macs);
    // Only what was really issued is remembered, so made-up ones cannot fill this; the oldest goes first.
    if (this.verified.size >= VERIFIED_MAX) this.verified.delete(this.verified.keys().next().value as string);
    const parts = { time, partition };
    this.verified.set(streamNo, parts);
    return parts;
  }
}
