import type { Crc32 } from '@rivulet/protocol';

/** A running SHA-256. */
export interface RunningDigest {
  update(bytes: Uint8Array): void;
  /** @returns lower-case hex, or null when this platform cannot say (content longer than it may buffer). */
  hex(): Promise<string | null>;
}

/** The part of WebSocket that both the browser's own and the package `ws` have. */
export interface Socket {
  send(text: string): void;
  close(code?: number): void;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: ((event: unknown) => void) | null;
}

/** What differs between Node and browsers. Bundlers swap platform-node for platform-browser by the package's `browser` field. */
export interface Platform {
  crc32: Crc32;
  createDigest(): RunningDigest;
  /** @param silenceMsMax nothing, not even a ping, for this long: the socket is closed. Browsers do not show pings, so there TCP tells. */
  openSocket(url: string, silenceMsMax: number): Socket;
  toBase64(bytes: Uint8Array): string;
  fromBase64(text: string): Uint8Array;
}
