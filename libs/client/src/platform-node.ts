import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import WebSocket from 'ws';
import type { Platform, Socket } from './platform';

export const platform: Platform = {
  crc32: (bytes, previous) => crc32(bytes, previous),
  createDigest() {
    const hash = createHash('sha256');
    return { update: (bytes) => void hash.update(bytes), hex: () => Promise.resolve(hash.copy().digest('hex')) };
  },
  openSocket: (url) => new WebSocket(url, { perMessageDeflate: false }) as unknown as Socket,
  toBase64: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
  fromBase64: (text) => Buffer.from(text, 'base64'),
};
