import { StreamError } from '@rivulet/protocol';
import { platform } from './platform-node';

/** What is sent: its bytes can be read again from any place. */
export interface FileSource {
  name: string;
  sizeBytes: number;
  contentType: string;
  /** Bytes from `from` up to and without `until`. */
  read(from: number, until: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}
/** Where what is received goes. It knows what it has, and checks it. */
export interface FileTarget {
  readonly seen: SeenContent;
  write(bytes: Uint8Array): Promise<void>;
  /** What came so far is void. @throws StreamError CHECKSUM_MISMATCH when it cannot be taken back */
  restart(): Promise<void>;
  /** All of it is there and right. */
  finish(): Promise<void>;
  /** It stays as far as it came. */
  leave(error: unknown): Promise<void>;
}
/** What differs between Node and browsers; bundlers swap files-node for files-browser. */
export interface Files {
  openSource(path: string): Promise<FileSource>;
  openTarget(path: string): Promise<FileTarget>;
}

/** One read, and one fragment. */
export const FILE_PIECE_BYTES = 256 * 1024;

/** Length, CRC-32 and SHA-256 of what came. */
export class SeenContent {
  bytes = 0;
  checksum = 0;
  private digest = platform.createDigest();

  add(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    this.checksum = platform.crc32(bytes, this.checksum);
    this.digest.update(bytes);
  }

  /** @returns lower-case hex, or null where this platform cannot say */
  sha256(): Promise<string | null> {
    return this.digest.hex();
  }

  clear(): void {
    this.bytes = this.checksum = 0;
    this.digest = platform.createDigest();
  }
}

export function blobSource(blob: Blob): FileSource {
  return {
    name: 'name' in blob ? String(blob.name) : '',
    sizeBytes: blob.size,
    contentType: blob.type,
    async *read(from, until) {
      for (let at = from; at < until; at += FILE_PIECE_BYTES) {
        yield new Uint8Array(await blob.slice(at, Math.min(until, at + FILE_PIECE_BYTES)).arrayBuffer());
      }
    },
    close: () => Promise.resolve(),
  };
}

export function streamTarget(stream: WritableStream<Uint8Array>): FileTarget {
  const writer = stream.getWriter();
  const seen = new SeenContent();
  return {
    seen,
    async write(bytes) {
      await writer.ready;
      await writer.write(bytes);
      seen.add(bytes);
    },
    async restart() {
      if (seen.bytes === 0) return;
      throw new StreamError('CHECKSUM_MISMATCH', { detail: 'The content started over or was wrong, and what went into the WritableStream cannot be taken back.' });
    },
    finish: () => writer.close(),
    leave: (error) => writer.abort(error),
  };
}

/** In memory; browsers move large Blobs to disk by themselves. */
export function blobTarget(): FileTarget & { blob(contentType: string): Blob } {
  let parts: Uint8Array<ArrayBuffer>[] = [];
  const seen = new SeenContent();
  return {
    seen,
    async write(bytes) {
      parts.push(bytes.slice());
      seen.add(bytes);
    },
    async restart() {
      parts = [];
      seen.clear();
    },
    finish: () => Promise.resolve(),
    leave: () => Promise.resolve(),
    blob: (type) => new Blob(parts, { type }),
  };
}
