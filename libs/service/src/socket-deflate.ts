import assert from 'node:assert/strict';
import type { WebSocket } from 'ws';

/** The extension of one socket, as the package `ws` makes it. */
interface Extension {
  cleanup(): void;
  compress: Work;
  decompress: Work;
}
type Callback = (error: Error | null, result?: Buffer) => void;
type Work = (bytes: Buffer | string, isLast: boolean, callback: Callback) => void;

/**
 * [WATCH-11] `ws` keeps its compressor (220 KiB) and decompressor (14 KiB) for as long as the socket lives, although nothing in them is
 * used again without context takeover. An idle session would cost ten times what it may, so they go after each message.
 */
export function releaseWhenIdle(socket: WebSocket): void {
  if (socket.extensions === '') return;
  const { _extensions: extensions } = socket as unknown as { _extensions?: Record<string, Extension | undefined> };
  const extension = extensions?.['permessage-deflate'];
  assert(extension, 'this version of ws keeps its extensions elsewhere');
  let running = 0;
  let isWithinMessage = false;
  const releasing = (work: Work, isReading: boolean): Work => (bytes, isLast, callback) => {
    running += 1;
    if (isReading) isWithinMessage = !isLast;
    work.call(extension, bytes, isLast, (error, result) => {
      running -= 1;
      if (running === 0 && !isWithinMessage) extension.cleanup();
      callback(error, result);
    });
  };
  extension.compress = releasing(extension.compress, false);
  extension.decompress = releasing(extension.decompress, true);
}
