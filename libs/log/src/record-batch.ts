import { crc32c } from '@node-rs/crc32';
import type { StoredRecord } from './log';
import { lookupCodecByAttributes } from './kafka-internals';

/**
 * Decodes what a fetch returns. kafkajs's own decoder is not used because one batch it cannot read (an unknown codec, garbage) makes it
 * reject the whole response, for ever (kafkajs #254); because it drops empty batches, so that a hole left by compaction is crossed one
 * offset per fetch (kafkajs #562, #1072); and because it spreads records as call arguments, which overflows the stack on very large
 * batches (kafkajs #1723).
 */
export interface RecordSet {
  records: StoredRecord[];
  /** Offset after the last batch, also where its last records are gone. */
  nextOffset: number;
  /** Batches that could not be read; they were skipped, for a bad batch must not stop a partition. */
  unreadable: { firstOffset: number; lastOffset: number; cause: unknown }[];
}

/** Layout of a record batch, version 2, the only one in use: byte positions from its start. */
export const LENGTH_AT = 8;
export const MAGIC_AT = 16;
export const CHECKSUM_AT = 17;
export const ATTRIBUTES_AT = 21;
export const LAST_OFFSET_DELTA_AT = 23;
export const FIRST_TIMESTAMP_AT = 27;
export const MAX_TIMESTAMP_AT = 35;
export const COUNT_AT = 57;
export const RECORDS_AT = 61;
export const LOG_OVERHEAD = 12;

const CODEC_MASK = 0x07;
const LOG_APPEND_TIME = 0x08;
const CONTROL = 0x20;

/**
 * @param from records below it are dropped: a fetch returns whole batches
 * @param isChecked whether a batch must have its checksum
 */
export async function decodeRecordSet(set: Buffer, from: number, isChecked = false): Promise<RecordSet> {
  const result: RecordSet = { records: [], nextOffset: from, unreadable: [] };
  let at = 0;
  // A batch cut off by the byte limit ends the set; the next fetch starts with it.
  while (at + LOG_OVERHEAD <= set.length) {
    const end = at + LOG_OVERHEAD + set.readInt32BE(at + LENGTH_AT);
    const firstOffset = readInt64(set, at);
    if (end > set.length || end <= at + MAGIC_AT || !Number.isSafeInteger(firstOffset)) break;
    const isV2 = set[at + MAGIC_AT] === 2 && end - at >= RECORDS_AT;
    const lastOffset = isV2 ? firstOffset + set.readInt32BE(at + LAST_OFFSET_DELTA_AT) : firstOffset;
    try {
      if (!isV2) throw new Error(`message format ${set[at + MAGIC_AT]} is not supported`);
      // The checksum covers everything behind it: what the broker writes itself (offset, length, epoch of the leader) stands before.
      if (isChecked && lastOffset >= from && crc32c(set.subarray(at + ATTRIBUTES_AT, end)) !== set.readUInt32BE(at + CHECKSUM_AT)) {
        throw new Error('its bytes do not have the CRC-32C that Kafka stored with them');
      }
      const attributes = set.readInt16BE(at + ATTRIBUTES_AT);
      const count = set.readInt32BE(at + COUNT_AT);
      // Marks of transactions hold offsets but no records of ours.
      if (!(attributes & CONTROL) && count > 0 && lastOffset >= from) {
        const plain = set.subarray(at + RECORDS_AT, end);
        const body = attributes & CODEC_MASK ? await decompress(attributes, plain) : plain;
        const appendTime = attributes & LOG_APPEND_TIME ? readInt64(set, at + MAX_TIMESTAMP_AT) : null;
        const records = decodeRecords(body, count, firstOffset, readInt64(set, at + FIRST_TIMESTAMP_AT), appendTime);
        for (const record of records) if (record.offset >= from) result.records.push(record);
      }
    } catch (cause) {
      result.unreadable.push({ firstOffset, lastOffset, cause });
    }
    result.nextOffset = Math.max(result.nextOffset, lastOffset + 1);
    at = end;
  }
  return result;
}

async function decompress(attributes: number, body: Buffer): Promise<Buffer> {
  const codec = lookupCodecByAttributes(attributes);
  if (!codec) throw new Error(`compression ${attributes & CODEC_MASK} is unknown`);
  return codec.decompress(body);
}

/** @param appendTime the broker's time of the whole batch; null where the topic keeps the producers' times */
function decodeRecords(
  body: Buffer, count: number, firstOffset: number, firstTimestamp: number, appendTime: number | null,
): StoredRecord[] {
  const records: StoredRecord[] = [];
  const reader = new VarintReader(body);
  for (let index = 0; index < count; index += 1) {
    const length = reader.varint();
    const end = reader.at + length;
    if (length < 0 || end > body.length) throw new RangeError('a record is longer than its batch');
    reader.at += 1; // attributes of a record: unused by Kafka
    const timestampDelta = reader.varint();
    const offset = firstOffset + reader.varint();
    const key = reader.bytes();
    const value = reader.bytes();
    if (reader.at > end) throw new RangeError('a field is longer than its record');
    const timestamp = appendTime ?? firstTimestamp + timestampDelta;
    const record: StoredRecord = { key: key === null ? '' : key.toString('utf8'), value, offset, timestamp };
    const headerCount = reader.varint();
    if (headerCount > 0) record.headers = decodeHeaders(reader, headerCount);
    records.push(record);
    reader.at = end;
  }
  return records;
}

function decodeHeaders(reader: VarintReader, count: number): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let index = 0; index < count; index += 1) {
    const name = reader.bytes()?.toString('utf8') ?? '';
    headers[name] = reader.bytes()?.toString('utf8') ?? '';
  }
  return headers;
}

class VarintReader {
  at = 0;

  constructor(private readonly body: Buffer) {}

  /** Zig-zag; exact up to 2^53, which is all that offsets, lengths and times here can be. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.body[this.at++];
      if (byte === undefined) throw new RangeError('a record ends in the middle of a number');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  bytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    if (this.at + length > this.body.length) throw new RangeError('a field is longer than its record');
    const bytes = this.body.subarray(this.at, this.at + length);
    this.at += length;
    return bytes;
  }
}

export function readInt64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4);
}
