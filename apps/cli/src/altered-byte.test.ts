import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { alteredBytes } from './altered-byte';

test('an altered byte is found by the difference of two checksums, wherever it is and whatever came before', () => {
  const before = randomBytes(1000);
  for (const at of [0, 1, 500, 65_534, 65_535]) {
    const original = randomBytes(65_536);
    const altered = Buffer.from(original);
    const difference = 1 + (at % 255);
    altered[at]! ^= difference;
    const found = alteredBytes(crc32(original, crc32(before)) ^ crc32(altered, crc32(before)), original.length, 8);
    expect(found).toContainEqual({ at, difference });
  }
});

test('two altered bytes are not taken for one', () => {
  const original = Buffer.from('the quick brown fox jumps over the lazy dog');
  const altered = Buffer.from(original);
  altered[3]! ^= 1;
  altered[20]! ^= 2;
  expect(alteredBytes(crc32(original) ^ crc32(altered), original.length, 8)).toEqual([]);
});
