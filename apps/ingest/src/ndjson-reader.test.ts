import fc from 'fast-check';
import { NdjsonReader } from './ndjson-reader';
import type { Line } from './ndjson-reader';

function read(bytes: Buffer, cuts: number[], lineBytesMax = 1000): Line[] {
  const reader = new NdjsonReader(lineBytesMax);
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  const lines = places.slice(1).flatMap((place, index) => reader.take(bytes.subarray(places[index], place)));
  return [...lines, ...reader.end()];
}

test('wherever the network cuts, the lines are the same', () => {
  const lines = fc.array(fc.oneof(fc.constant(''), fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => JSON.stringify({ data: text }))));
  fc.assert(fc.property(lines, fc.array(fc.nat()), (wanted, cuts) => {
    const bytes = Buffer.from(wanted.map((line) => `${line}\n`).join(''));
    expect(read(bytes, cuts)).toEqual(wanted);
  }));
});

test('the last line needs no newline; CRLF and blanks around a line do not count', () => {
  expect(read(Buffer.from(' {"a":1} \r\n\r\n{"b":2}'), [])).toEqual(['{"a":1}', '', '{"b":2}']);
});

test('a line that is too long is reported as soon as that is certain, after the good lines before it', () => {
  const reader = new NdjsonReader(10);
  expect(reader.take(Buffer.from('short\n123456'))).toEqual(['short']);
  expect(reader.take(Buffer.from('7890123'))).toEqual([{ fault: 'length' }]);
  expect(new NdjsonReader(10).take(Buffer.from('ok\n12345678901\nok\n'))).toEqual(['ok', { fault: 'length' }]);
  expect(new NdjsonReader(10).take(Buffer.from('1234567\n12345678\n'))).toEqual(['1234567', '12345678']);
});

test('[APPEND-9] a line that is not UTF-8 is reported in its place, and nothing after it', () => {
  const bytes = Buffer.concat([Buffer.from('good\nbad'), Buffer.from([0xc3]), Buffer.from('\nnever\n')]);
  expect(new NdjsonReader(100).take(bytes)).toEqual(['good', { fault: 'utf8' }]);
});
