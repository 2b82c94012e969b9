import { crc32Table } from '@rivulet/protocol';
import type { Platform, RunningDigest, Socket } from './platform';

/** SubtleCrypto hashes only whole buffers, so the content is kept for it, up to this; longer content is checked by CRC-32 alone. */
const DIGEST_BYTES_MAX = 16 * 1024 * 1024;
/** Arguments of one String.fromCharCode call: engines limit the stack. */
const CHARACTERS_PER_CALL = 8192;

class BufferedDigest implements RunningDigest {
  private parts: Uint8Array[] | null = [];
  private bytes = 0;

  update(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    if (this.bytes > DIGEST_BYTES_MAX) this.parts = null;
    this.parts?.push(bytes.slice());
  }

  async hex(): Promise<string | null> {
    // Pages served without TLS (other than localhost) have no SubtleCrypto.
    const subtle = globalThis.crypto?.subtle;
    if (this.parts === null || subtle === undefined) return null;
    const whole = new Uint8Array(this.bytes);
    let at = 0;
    for (const part of this.parts) {
      whole.set(part, at);
      at += part.length;
    }
    const hash = new Uint8Array(await subtle.digest('SHA-256', whole));
    return [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  }
}

function toBase64(bytes: Uint8Array): string {
  let characters = '';
  for (let at = 0; at < bytes.length; at += CHARACTERS_PER_CALL) {
    characters += String.fromCharCode(...bytes.subarray(at, at + CHARACTERS_PER_CALL));
  }
  return btoa(characters);
}

export const platform: Platform = {
  crc32: crc32Table,
  createDigest: () => new BufferedDigest(),
  openSocket(url) {
    const { WebSocket } = globalThis as unknown as { WebSocket: new (url: string) => Socket };
    return new WebSocket(url);
  },
  toBase64,
  fromBase64: (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)),
};
