import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { completeUtf8Length, isValidUtf8 } from './utf8';

test('[APPEND-9] bytes cut anywhere are cut again at a code point, and nothing is lost', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), fc.nat(), (text, place) => {
    const bytes = Buffer.from(text);
    const piece = bytes.subarray(0, place % (bytes.length + 1));
    const length = completeUtf8Length(piece);
    expect(isValidUtf8(piece.subarray(0, length))).toBe(true);
    expect(piece.length - length).toBeLessThan(4);
    // As much as is complete: one byte more would be inside a code point.
    if (length < piece.length) expect(isValidUtf8(piece.subarray(0, length + 1))).toBe(false);
  }));
});

test('[APPEND-9] bytes that are no UTF-8 are not swallowed: the validation sees them', () => {
  for (const bytes of [[0x80], [0x80, 0x80, 0x80, 0x80], [0x61, 0xff], [0x61, 0x80]]) {
    expect(isValidUtf8(Uint8Array.from(bytes).subarray(0, completeUtf8Length(Uint8Array.from(bytes)) || bytes.length))).toBe(false);
  }
});

test('[APPEND-9] validation agrees with Node', () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => expect(isValidUtf8(bytes)).toBe(isUtf8(bytes))));
});
