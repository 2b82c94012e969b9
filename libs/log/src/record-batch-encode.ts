import { crc32c } from '@node-rs/crc32';
import { lookupCodecByAttributes } from './kafka-internals';
import type { RecordToAppend } from './log';
import {
  ATTRIBUTES_AT, CHECKSUM_AT, COUNT_AT, FIRST_TIMESTAMP_AT, LAST_OFFSET_DELTA_AT, LENGTH_AT, LOG_OVERHEAD, MAGIC_AT, MAX_TIMESTAMP_AT,
  RECORDS_AT,
} from './record-batch';

const VERSION = 2;
/** Id, epoch and first sequence of an idempotent producer; all ones: none. */
const PRODUCER_AT = 43;

/**
 * The records of one partition as Kafka stores them. kafkajs's encoder is not used: a growing buffer for each record, batch, partition and
 * request, and a checksum by a loop in JavaScript, hold the event loop up for 6 µs a record and 4 ms a megabyte [KAFKA-8].
 * Here the size is known before anything is written.
 * @param codec of the compression, as the attributes of a batch name it; 0 for none
 * @param now ms; topics that keep the broker's time do not keep it
 */
export async function encodeRecordBatch(records: readonly RecordToAppend[], codec: number, now: number): Promise<Buffer> {
  const lengths = records.map(lengthOf);
  const size = lengths.reduce((sum, length) => sum + sizeOfVarint(length) + length, 0);
  let batch = Buffer.allocUnsafe(RECORDS_AT + size);
  writeRecords(new RecordWriter(batch, RECORDS_AT), records, lengths);
  if (codec !== 0) {
    const packed = await lookupCodecByAttributes(codec)!.compress({ buffer: batch.subarray(RECORDS_AT) });
    batch = Buffer.concat([batch.subarray(0, RECORDS_AT), packed]);
  }
  writeHead(batch, records.length, codec, now);
  return batch;
}

function writeHead(batch: Buffer, count: number, codec: number, now: number): void {
  batch.fill(0, 0, RECORDS_AT);
  batch.writeInt32BE(batch.length - LOG_OVERHEAD, LENGTH_AT);
  batch[MAGIC_AT] = VERSION;
  batch.writeInt16BE(codec, ATTRIBUTES_AT);
  batch.writeInt32BE(count - 1, LAST_OFFSET_DELTA_AT);
  batch.writeBigInt64BE(BigInt(now), FIRST_TIMESTAMP_AT);
  batch.writeBigInt64BE(BigInt(now), MAX_TIMESTAMP_AT);
  batch.fill(0xff, PRODUCER_AT, COUNT_AT);
  batch.writeInt32BE(count, COUNT_AT);
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)), CHECKSUM_AT);
}

function writeRecords(writer: RecordWriter, records: readonly RecordToAppend[], lengths: readonly number[]): void {
  records.forEach(({ key, value, headers = {} }, index) => {
    writer.varint(lengths[index]!);
    writer.byte(0); // attributes of a record: unused by Kafka
    writer.byte(0); // time since the first one
    writer.varint(index);
    writer.text(key);
    if (value === null) writer.varint(-1);
    else writer.bytes(value);
    const names = Object.entries(headers);
    writer.varint(names.length);
    for (const [name, text] of names) {
      writer.text(name);
      writer.text(text);
    }
  });
}

/** @returns bytes of a record behind its length */
function lengthOf({ key, value, headers }: RecordToAppend, index: number): number {
  const length = 2 + sizeOfVarint(index) + sizeOfText(key) + (value === null ? 1 : sizeOfVarint(value.byteLength) + value.byteLength);
  if (headers === undefined) return length + 1;
  const names = Object.entries(headers);
  return names.reduce((sum, [name, text]) => sum + sizeOfText(name) + sizeOfText(text), length + sizeOfVarint(names.length));
}

function sizeOfText(text: string): number {
  const bytes = Buffer.byteLength(text);
  return sizeOfVarint(bytes) + bytes;
}

/** Zig-zag: numbers here are lengths and counts, below 2^30, or -1. */
const zigzag = (value: number): number => (value << 1) ^ (value >> 31);

function sizeOfVarint(value: number): number {
  let size = 1;
  for (let rest = zigzag(value) >>> 7; rest > 0; rest >>>= 7) size += 1;
  return size;
}

class RecordWriter {
  constructor(private readonly buffer: Buffer, private at: number) {}

  byte(value: number): void {
    this.buffer[this.at++] = value;
  }

  varint(value: number): void {
    let rest = zigzag(value);
    for (; rest > 0x7f; rest >>>= 7) this.buffer[this.at++] = (rest & 0x7f) | 0x80;
    this.buffer[this.at++] = rest;
  }

  bytes(bytes: Uint8Array): void {
    this.varint(bytes.byteLength);
    this.buffer.set(bytes, this.at);
    this.at += bytes.byteLength;
  }

  text(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.varint(bytes);
    this.buffer.write(text, this.at, bytes);
    this.at += bytes;
  }
}
