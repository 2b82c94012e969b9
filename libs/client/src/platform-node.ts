import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import WebSocket from 'ws';
import { retryAfterHeader } from './http';
import type { Platform, Socket } from './platform';

function openSocket(url: string, silenceMsMax: number): Socket {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  let heardAt = performance.now();
  const hear = (): void => { heardAt = performance.now(); };
  // A half-open connection takes for hours what nobody reads; the service pings every 15 s.
  const listening = setInterval(() => { if (performance.now() - heardAt > silenceMsMax) socket.terminate(); }, silenceMsMax / 4);
  for (const event of ['open', 'ping', 'message']) socket.on(event, hear);
  socket.on('close', () => clearInterval(listening));
  socket.on('unexpected-response', (_request, response) => {
    // Browsers cannot see why a handshake was refused; here it says when to come back.
    const status = response.statusCode ?? 0;
    const retryAfterMs = retryAfterHeader(response.headers['retry-after'] ?? null);
    response.resume();
    if (status === 429 || status >= 500) (socket as unknown as Socket).onclose?.({ code: 4000 + status, reason: `retryAfterMs=${retryAfterMs}` });
    socket.terminate();
  });
  return socket as unknown as Socket;
}

export const platform: Platform = {
  crc32: (bytes, previous) => crc32(bytes, previous),
  createDigest() {
    const hash = createHash('sha256');
    return { update: (bytes) => void hash.update(bytes), hex: () => Promise.resolve(hash.copy().digest('hex')) };
  },
  openSocket,
  toBase64: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
  fromBase64: (text) => Buffer.from(text, 'base64'),
};
