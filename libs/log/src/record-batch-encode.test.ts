import { CompressionTypes } from 'kafkajs';
import fc from 'fast-check';
import { registerCodecs } from './kafka-client';
import type { RecordToAppend } from './log';
import { decodeRecordSet } from './record-batch';
import { encodeRecordBatch } from './record-batch-encode';

interface Reference { buffer: Buffer }
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as { RecordBatch(of: object): Promise<Reference> };
const Record = require('kafkajs/src/protocol/recordBatch/record/v0') as (of: object) => Reference;
const NOW = 1_790_000_000_000;

beforeAll(registerCodecs);

/** As kafkajs writes it, of a producer without id, epoch and sequence. */
async function reference(records: readonly RecordToAppend[]): Promise<Buffer> {
  const encoded = records.map(({ key, value, headers }, offsetDelta) => Record({
    offsetDelta, key: Buffer.from(key), value: value === null ? null : Buffer.from(value), headers,
  }));
  const none = { firstTimestamp: NOW, maxTimestamp: NOW, producerEpoch: -1, firstSequence: -1 };
  return (await RecordBatch({ records: encoded, lastOffsetDelta: records.length - 1, ...none })).buffer;
}

// Lengths on both sides of where a varint grows.
const wide = fc.constantFrom(...[63, 64, 8_191, 8_192, 70_000].map((length) => new Uint8Array(length).fill(length)));
const text = fc.string({ unit: 'grapheme', maxLength: 9 });
const record = fc.record({
  key: fc.string({ unit: 'grapheme', maxLength: 70 }),
  value: fc.option(fc.uint8Array({ maxLength: 300 })),
  headers: fc.dictionary(fc.stringMatching(/^[a-zé]{0,9}$/), text, { noNullPrototype: true }),
  entries: fc.constant(1),
}, { requiredKeys: ['key', 'value', 'entries'] });
const batches = fc.array(record, { minLength: 1, maxLength: 150 });

test('[KAFKA-8] a batch is byte for byte what kafkajs makes of it', async () => {
  await fc.assert(fc.asyncProperty(batches, wide, async (records, large) => {
    const all = [...records, { key: 'wide', value: large, entries: 1 }];
    expect((await encodeRecordBatch(all, 0, NOW)).equals(await reference(all))).toBe(true);
  }), { numRuns: 200 });
});

test.each([CompressionTypes.None, CompressionTypes.GZIP, CompressionTypes.LZ4])('what was written with codec %i is read again, with its checksum', async (codec) => {
  await fc.assert(fc.asyncProperty(batches, async (records) => {
    const { records: found, unreadable } = await decodeRecordSet(await encodeRecordBatch(records, codec, NOW), 0, true);
    expect(unreadable).toEqual([]);
    expect(found).toEqual(records.map(({ key, value, headers: some }, offset) => ({
      key, value: value && Buffer.from(value), offset, timestamp: NOW, ...(some && Object.keys(some).length > 0 && { headers: some }),
    })));
  }), { numRuns: 50 });
});
