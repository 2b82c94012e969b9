import { StreamError } from '@rivulet/protocol';
import type { FragmentRules } from './append-entry';
import { parseJsonAppend, parseOctetAppend, RunPacker } from './parse-append';

const TEXT: FragmentRules = { merge: 'text', fragmentBytesMax: 64 };
const JSON_RULES: FragmentRules = { merge: 'json', fragmentBytesMax: 64 };
const BYTES: FragmentRules = { merge: 'bytes', fragmentBytesMax: 64 };
const texts = (body: unknown, rules = TEXT): string[] =>
  parseJsonAppend(body, rules).flatMap(({ payloads }) => payloads.map((payload) => Buffer.from(payload).toString('utf8')));
const codeOf = (act: () => unknown): [string, unknown] => {
  try {
    act();
  } catch (error) {
    if (error instanceof StreamError) return [error.code, error.details['place']];
    throw error;
  }
  throw new Error('nothing was refused');
};

test('a single fragment is one run of one payload', () => {
  expect(parseJsonAppend({ seq: 7, data: 'é', lane: 'think' }, TEXT)).toEqual([
    { firstSeq: 7, lane: 'think', payloads: [Buffer.from('é')], bytes: 2 },
  ]);
  expect(parseJsonAppend({ data: 'x' }, TEXT)[0]).toMatchObject({ firstSeq: 0, lane: '' });
});

test('consecutive fragments of one lane are one run, another lane begins a new one', () => {
  const runs = parseJsonAppend({ seq: 5, fragments: [{ data: 'a' }, { data: 'b' }, { data: 'c', lane: 'x' }, { data: 'd' }] }, TEXT);
  expect(runs.map(({ firstSeq, lane, payloads }) => [firstSeq, lane, payloads.length])).toEqual([[5, '', 2], [7, 'x', 1], [8, '', 1]]);
});

test('a run stays below the size of a record', () => {
  const big: FragmentRules = { merge: 'text', fragmentBytesMax: 200_000 };
  const fragments = [1, 2, 3].map(() => ({ data: 'x'.repeat(200_000) }));
  expect(parseJsonAppend({ seq: 1, fragments }, big).map(({ bytes }) => bytes)).toEqual([200_000, 200_000, 200_000]);
  const many = { seq: 1, fragments: Array.from({ length: 600 }, () => ({ data: '' })) };
  expect(parseJsonAppend(many, big).map(({ payloads }) => payloads.length)).toEqual([256, 256, 88]);
});

test('JSON streams take any JSON value, byte streams text or base64', () => {
  expect(texts({ fragments: [{ data: { a: [1] } }, { data: null }, { data: 'x' }] }, JSON_RULES)).toEqual(['{"a":[1]}', 'null', '"x"']);
  expect(parseJsonAppend({ base64: '/wA=' }, BYTES)[0]!.payloads[0]).toEqual(Buffer.from([255, 0]));
  expect(texts({ data: '<a/>' }, BYTES)).toEqual(['<a/>']);
  expect(codeOf(() => parseJsonAppend({ base64: Buffer.from('{').toString('base64') }, JSON_RULES))).toEqual(['BODY_INVALID', 'base64']);
});

test.each([
  [null, undefined], [[], undefined], ['text', undefined], [{ fragments: [] }, 'fragments'], [{ fragments: 'a' }, 'fragments'],
  [{ fragments: [{ data: 'a' }], data: 'b' }, 'fragments'], [{ fragments: [null] }, 'fragments[0]'], [{ data: 1 }, 'data'],
  [{ seq: 1.5, data: 'a' }, 'seq'], [{ seq: '1', data: 'a' }, 'seq'], [{ data: 'a', lane: 7 }, 'lane'], [{ data: 'a', lane: 'l'.repeat(65) }, 'lane'],
  [{ fragments: [{ data: 'a' }, { seq: 2, data: 'b' }] }, 'fragments[1].seq'], [{ base64: 'a' }, 'base64'],
])('%j is BODY_INVALID and names the place', (body, place) => {
  expect(codeOf(() => parseJsonAppend(body, TEXT))).toEqual(['BODY_INVALID', place]);
});

test('a fragment above fragmentBytesMax is refused, counted in bytes and not in characters', () => {
  expect(texts({ data: 'x'.repeat(64) })).toHaveLength(1);
  for (const data of ['x'.repeat(65), '水'.repeat(22)]) expect(codeOf(() => parseJsonAppend({ data }, TEXT))).toEqual(['FRAGMENT_TOO_LARGE', undefined]);
  expect(codeOf(() => parseOctetAppend(Buffer.alloc(65), { sequence: '1', lane: undefined }, BYTES))[0]).toBe('FRAGMENT_TOO_LARGE');
});

test('[APPEND-9] half a surrogate pair and bytes that are not UTF-8 are refused on text streams only', () => {
  expect(codeOf(() => parseJsonAppend({ data: '\ud83d' }, TEXT))).toEqual(['UTF8_INVALID', 'data']);
  expect(codeOf(() => parseJsonAppend({ base64: '/w==' }, TEXT))).toEqual(['UTF8_INVALID', 'base64']);
  expect(codeOf(() => parseOctetAppend(Buffer.from([255]), { sequence: undefined, lane: undefined }, TEXT))[0]).toBe('UTF8_INVALID');
  expect(parseOctetAppend(Buffer.from([255]), { sequence: undefined, lane: undefined }, BYTES).payloads).toEqual([Buffer.from([255])]);
});

test('octet headers are checked', () => {
  expect(parseOctetAppend(Buffer.from('x'), { sequence: '12', lane: 'a' }, TEXT)).toMatchObject({ firstSeq: 12, lane: 'a' });
  for (const sequence of ['0', '-1', '1e3', 'one']) {
    expect(codeOf(() => parseOctetAppend(Buffer.from('x'), { sequence, lane: undefined }, TEXT))).toEqual(['BODY_INVALID', 'Fragment-Seq']);
  }
});

test('lines of NDJSON may jump; a line without a sequence follows the one before it', () => {
  const packer = new RunPacker(true);
  for (const fragment of [{ seq: 1, data: 'a' }, { data: 'b' }, { seq: 9, data: 'c' }]) packer.add(fragment, TEXT, 'line');
  expect(packer.take().map(({ firstSeq, payloads }) => [firstSeq, payloads.length])).toEqual([[1, 2], [9, 1]]);
  packer.add({ data: 'd' }, TEXT, 'line');
  expect(packer.take()[0]).toMatchObject({ firstSeq: 10 });
});
