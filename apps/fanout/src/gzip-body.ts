import { constants, crc32, deflateRaw } from 'node:zlib';

/** RFC 1952: deflate, no name, no time, any system. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
/** The last block, empty. */
const LAST_BLOCK = Buffer.from([1, 0, 0, 0xff, 0xff]);
const STORED_BYTES_MAX = 65_535;
/** Below this a piece goes out as it is: what is saved is not worth the work. */
export const PIECE_BYTES_MIN = 1_024;
/**
 * Level 1: nine tenths of what level 6 saves, for half the CPU. Every piece ends on a byte and looks back at nothing before it, so that
 * nothing is kept between two pieces.
 */
const OPTIONS = { level: 1, finishFlush: constants.Z_SYNC_FLUSH };

/** How many pieces are compressed at once, over all bodies of an instance: bounds the memory (270 KiB each) and the CPU. */
export class Compressions {
  private running = 0;

  constructor(private readonly max: number) {}

  get isOn(): boolean {
    return this.max > 0;
  }

  begin(): boolean {
    if (this.running >= this.max) return false;
    this.running += 1;
    return true;
  }

  end(): void {
    this.running -= 1;
  }
}

export interface GzipOutput {
  write: (bytes: Buffer) => void;
  /** It takes more again, after `isBusy`. */
  onIdle: () => void;
}

interface Piece { bytes: Uint8Array; isCompressed: boolean }

/**
 * [WATCH-11] A gzip body for sessions that may stand idle for hours. A compressor of zlib's would be kept for each of them, 270 KiB;
 * here each piece is compressed by itself, off the event loop, and is at the reader at once. What finds no compressor free, or is small,
 * is stored: gzip has blocks for that, which cost 5 bytes. States: idle → busy with one piece (others wait behind it) → idle … → ended.
 */
export class GzipBody {
  private readonly waiting: Piece[] = [];
  private checksum = 0;
  private length = 0;
  private isRunning = false;
  private onEnd: (() => void) | null = null;

  constructor(private readonly compressions: Compressions, private readonly output: GzipOutput) {
    output.write(HEADER);
  }

  /** What is written now waits. */
  get isBusy(): boolean {
    return this.isRunning;
  }

  /** @param isCompressed whether it may be, when it is large enough */
  write(bytes: Uint8Array, isCompressed: boolean): void {
    this.waiting.push({ bytes, isCompressed });
    this.goOn();
  }

  /** Nothing is written after this. @param done called when all of it was given to the output */
  end(done: () => void): void {
    this.onEnd = done;
    this.goOn();
  }

  private goOn(): void {
    while (!this.isRunning && this.waiting.length > 0) this.take(this.waiting.shift()!);
    if (this.isRunning || this.onEnd === null) return;
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(this.checksum, 0);
    trailer.writeUInt32LE(this.length, 4);
    this.output.write(Buffer.concat([LAST_BLOCK, trailer]));
    this.onEnd();
  }

  private take({ bytes, isCompressed }: Piece): void {
    if (bytes.byteLength === 0) return;
    this.checksum = crc32(bytes, this.checksum);
    this.length = (this.length + bytes.byteLength) >>> 0;
    if (isCompressed && bytes.byteLength >= PIECE_BYTES_MIN && this.compressions.begin()) this.compress(bytes);
    else this.output.write(storedBlocks(bytes));
  }

  private compress(bytes: Uint8Array): void {
    this.isRunning = true;
    deflateRaw(bytes, OPTIONS, (error, deflated) => {
      this.compressions.end();
      this.isRunning = false;
      // Stored is as good; zlib fails only for want of memory.
      this.output.write(error === null ? deflated : storedBlocks(bytes));
      this.goOn();
      if (!this.isRunning && this.onEnd === null) this.output.onIdle();
    });
  }
}

function storedBlocks(bytes: Uint8Array): Buffer {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength; at += STORED_BYTES_MAX) {
    const part = bytes.subarray(at, at + STORED_BYTES_MAX);
    const head = Buffer.alloc(5);
    head.writeUInt16LE(part.byteLength, 1);
    head.writeUInt16LE(part.byteLength ^ 0xffff, 3);
    parts.push(head, part);
  }
  return Buffer.concat(parts);
}
