import { createHash } from 'node:crypto';
import { StreamError } from '@rivulet/protocol';

const HOUR_MS = 3_600_000;
/** How far into the next hour a key of the last one still means the stream it opened there. */
const OVERLAP_MS = 600_000;
/** UUIDv7 keys carry a time; one that is further off is a broken clock, or a key kept for too long. */
const KEY_AGE_MS_MAX = 24 * HOUR_MS;
const KEY_AHEAD_MS_MAX = 600_000;
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

export interface DerivedParts {
  time: number;
  /** 5 bytes for the random bits of the streamNo. */
  random: Uint8Array;
  /** The time is the key's own. */
  isExact: boolean;
  /** Spreads streams without a channel over the partitions of their class. */
  spread: number;
}

/**
 * [APPEND-11] What a streamNo is made of when an Idempotency-Key was given: the same key of the same principal gives the same streamNo, on
 * any instance, without asking anyone; the judge then ignores the second `open`.
 * UUIDv7 keys carry their time, so the promise holds for as long as the key is accepted (24 h).
 * Other keys say nothing of time, and a streamNo needs one: the UTC hour of the call. So the promise is: within one UTC hour. A retry just
 * after the hour looks at the stream of the last hour first (`previous`) and takes it when that stream is known.
 * @returns the parts of the streamNo, and those it would have had in the last hour, during the first ten minutes of an hour
 * @throws StreamError OPTIONS_INVALID
 */
export function deriveParts(principal: string, key: string, now: number): { current: DerivedParts; previous: DerivedParts | null } {
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new StreamError('OPTIONS_INVALID', { option: 'Idempotency-Key', detail: 'Idempotency-Key must be 1 to 255 printable ASCII characters without blanks.' });
  }
  if (UUID_V7.test(key)) {
    const lower = key.toLowerCase();
    const time = Number.parseInt(lower.slice(0, 8) + lower.slice(9, 13), 16);
    if (time < now - KEY_AGE_MS_MAX || time > now + KEY_AHEAD_MS_MAX) {
      throw new StreamError('OPTIONS_INVALID', { option: 'Idempotency-Key', detail: 'The time in the UUIDv7 Idempotency-Key must be at most 24 h old and 10 min ahead. Make a new key.' });
    }
    return { current: { time, isExact: true, ...hashed(principal, lower, '') }, previous: null };
  }
  const hour = Math.floor(now / HOUR_MS);
  const isNearStart = now - hour * HOUR_MS < OVERLAP_MS;
  return { current: ofHour(principal, key, hour), previous: isNearStart ? ofHour(principal, key, hour - 1) : null };
}

function ofHour(principal: string, key: string, hour: number): DerivedParts {
  const { place, ...parts } = hashed(principal, key, String(hour));
  // Not the full hour for all: 36 random bits alone would let two keys of one busy hour meet. The place in the hour adds 21.
  return { ...parts, isExact: false, time: hour * HOUR_MS + (place % HOUR_MS) };
}

function hashed(principal: string, key: string, hour: string): { random: Uint8Array; spread: number; place: number } {
  // Lengths first, so that no two pairs run together to the same text.
  const digest = createHash('sha256').update(`${principal.length}:${principal}:${key.length}:${key}:${hour}`).digest();
  return { random: digest.subarray(0, 5), spread: digest.readUInt32BE(8), place: digest.readUInt32BE(12) };
}
