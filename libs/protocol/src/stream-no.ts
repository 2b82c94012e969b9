import { StreamError } from './errors';

/**
 * [NO-1] streamNo: 160 bits as 32 characters of Crockford base32, lower case.
 *
 *     version 4 | time 48 (ms) | partition 16 | random 36 | MAC 56
 *     └───────────────── 13 bytes ────────────────┘ └ first 7 bytes of HMAC-SHA-256 over them ┘
 *
 * Version and time come first, so streamNos sort by time as text. Only this spelling is taken: no upper case, none of Crockford's
 * look-alikes (i, l, o), for one stream must have one name.
 */
export const STREAM_NO_LENGTH = 32;
const VERSION = 1;
const BODY_BYTES = 13;
const MAC_BYTES = 7;
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_MAX = 2 ** 48 - 1;
const PARTITION_MAX = 2 ** 16 - 1;

/** HMAC-SHA-256 under one key; injected, so that this library runs in a browser. */
export type Mac = (bytes: Uint8Array) => Uint8Array;
export interface StreamNoParts { version: number; time: number; partition: number }

const VALUES = new Int8Array(128).fill(-1);
for (let value = 0; value < 32; value++) VALUES[ALPHABET.charCodeAt(value)] = value;

/**
 * Only the allocator calls this.
 * @param parts time in ms since the epoch; `random` ≥ 5 bytes of which the top 36 bits are used
 */
export function issueStreamNo(parts: { time: number; partition: number; random: Uint8Array }, mac: Mac): string {
  const { time, partition, random } = parts;
  if (!Number.isInteger(time) || time < 0 || time > TIME_MAX) throw new RangeError(`streamNo time ${time}`);
  if (!Number.isInteger(partition) || partition < 0 || partition > PARTITION_MAX) throw new RangeError(`streamNo partition ${partition}`);
  if (random.length < 5) throw new RangeError(`streamNo random of ${random.length} bytes`);
  const bytes = new Uint8Array(BODY_BYTES + MAC_BYTES);
  // Nibbles: version 1, time 12, partition 4, random 9: 26 of them fill the 13 bytes.
  let nibble = 0;
  const put = (value: number): void => {
    bytes[nibble >> 1]! |= nibble % 2 === 0 ? value << 4 : value;
    nibble += 1;
  };
  put(VERSION);
  for (let place = 11; place >= 0; place--) put(Math.floor(time / 16 ** place) % 16);
  for (let place = 3; place >= 0; place--) put((partition >> (place * 4)) & 15);
  for (let index = 0; index < 9; index++) put(index % 2 === 0 ? random[index >> 1]! >> 4 : random[index >> 1]! & 15);
  bytes.set(mac(bytes.subarray(0, BODY_BYTES)).subarray(0, MAC_BYTES), BODY_BYTES);
  return spell(bytes);
}

/** Shape only: says nothing about who issued it. @returns null when the text has not the shape of a streamNo */
export function parseStreamNo(text: string): StreamNoParts | null {
  const bytes = read(text);
  return bytes === null ? null : partsOf(bytes);
}

/**
 * [NO-2] Every entry point calls this before anything else.
 * @param macs one per valid key, at most two (rotation)
 * @throws StreamError STREAM_NO_NOT_ISSUED
 */
export function verifyStreamNo(text: string, macs: readonly Mac[]): StreamNoParts {
  const bytes = read(text);
  const parts = bytes === null ? null : partsOf(bytes);
  if (bytes === null || parts === null) {
    throw new StreamError('STREAM_NO_NOT_ISSUED', { detail: `A streamNo has ${STREAM_NO_LENGTH} characters of 0-9 and a-z.` });
  }
  const body = bytes.subarray(0, BODY_BYTES);
  let isIssued = false;
  for (const mac of macs) if (isSameMac(bytes, mac(body))) isIssued = true;
  if (!isIssued) throw new StreamError('STREAM_NO_NOT_ISSUED');
  return parts;
}

/** Takes the same time wherever the first difference is: else a forger could find the MAC byte by byte. */
function isSameMac(bytes: Uint8Array, expected: Uint8Array): boolean {
  let difference = 0;
  for (let index = 0; index < MAC_BYTES; index++) difference |= bytes[BODY_BYTES + index]! ^ expected[index]!;
  return difference === 0;
}

function partsOf(bytes: Uint8Array): StreamNoParts | null {
  const version = bytes[0]! >> 4;
  if (version !== VERSION) return null;
  let time = bytes[0]! & 15;
  for (let index = 1; index <= 5; index++) time = time * 256 + bytes[index]!;
  time = time * 16 + (bytes[6]! >> 4);
  const partition = ((bytes[6]! & 15) << 12) | (bytes[7]! << 4) | (bytes[8]! >> 4);
  return { version, time, partition };
}

/** 5 bytes are 8 characters. */
function spell(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(held >> bits) & 31];
    }
  }
  return text;
}

function read(text: string): Uint8Array | null {
  if (text.length !== STREAM_NO_LENGTH) return null;
  const bytes = new Uint8Array(BODY_BYTES + MAC_BYTES);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let index = 0; index < STREAM_NO_LENGTH; index++) {
    const code = text.charCodeAt(index);
    const value = code < 128 ? VALUES[code]! : -1;
    if (value < 0) return null;
    held = ((held << 5) | value) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (held >> bits) & 255;
    }
  }
  return bytes;
}
