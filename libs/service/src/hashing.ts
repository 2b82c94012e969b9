import { createHmac } from 'node:crypto';
import { crc32 as nativeCrc32 } from 'node:zlib';
import type { Crc32 } from '@rivulet/protocol';

/** The CRC-32 the judge is given in Node. */
export const crc32: Crc32 = (bytes, previous) => nativeCrc32(bytes, previous);

/** HMAC-SHA-256 over bytes, with the key bound. */
export function hmac(key: Uint8Array): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => createHmac('sha256', key).update(bytes).digest();
}
