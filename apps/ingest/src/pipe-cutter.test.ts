import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { PipeCutter } from './pipe-cutter';

function cutAll(bytes: Buffer, step: number, isText: boolean, fragmentBytesMax: number): Buffer[] {
  const cutter = new PipeCutter(isText, fragmentBytesMax);
  const fragments: Buffer[] = [];
  for (let start = 0; start < bytes.length; start += step) fragments.push(...cutter.cut(bytes.subarray(start, start + step)));
  cutter.end();
  return fragments;
}

test('[APPEND-9] however text comes in, every fragment is valid UTF-8 within the limit, and together they are the text', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 100 }), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 4, max: 16 }), (text, step, most) => {
    const bytes = Buffer.from(text);
    const fragments = cutAll(bytes, step, true, most);
    for (const fragment of fragments) {
      expect(isUtf8(fragment)).toBe(true);
      expect(fragment.length).toBeLessThanOrEqual(most);
    }
    expect(Buffer.concat(fragments).equals(bytes)).toBe(true);
  }));
});

test('bytes are cut by the limit alone', () => {
  expect(cutAll(Buffer.from([0xff, 0xfe, 0xfd, 0xfc, 0xfb]), 5, false, 2).map(({ length }) => length)).toEqual([2, 2, 1]);
});

test('[APPEND-9] text that is not UTF-8, or ends inside a code point, is refused and says after which byte', () => {
  expect(() => cutAll(Buffer.from([0x61, 0x62, 0xff, 0x63]), 2, true, 16)).toThrow('after byte 2');
  expect(() => cutAll(Buffer.from('a水').subarray(0, 3), 1, true, 16)).toThrow('after byte 1');
});
