import { cut, isWellFormed, splitTrailingHalf } from './fragment-text';
import { uuidV7 } from './uuid-v7';

test('[APPEND-9] half a surrogate pair is no text', () => {
  expect(isWellFormed('plain, 红楼梦, 🌊')).toBe(true);
  expect(isWellFormed('\ud83c')).toBe(false);
  expect(isWellFormed('a\udf0ab')).toBe(false);
});

test('a pair cut by the writer is joined again', () => {
  const { whole, half } = splitTrailingHalf('a\ud83c');
  expect([whole, half]).toEqual(['a', '\ud83c']);
  expect(splitTrailingHalf(`${half}\udf0a`)).toEqual({ whole: '🌊', half: '' });
});

test('what is larger than a fragment is cut at code points and loses nothing', () => {
  const text = 'aé红🌊'.repeat(50);
  for (const bytesMax of [4, 5, 7, 64, 10_000]) {
    const parts = cut(text, bytesMax);
    expect(parts.map((part) => part.content).join('')).toBe(text);
    expect(parts.every((part) => part.bytes.length <= bytesMax)).toBe(true);
  }
  expect(cut('', 10)).toEqual([]);
  expect(Buffer.concat(cut(Buffer.alloc(25, 7), 10).map((part) => part.bytes))).toEqual(Buffer.alloc(25, 7));
});

test('a byte order mark inside the text stays', () => {
  expect(cut(`${'a'.repeat(3)}\ufeffb`, 3).map((part) => part.content).join('')).toBe('aaa\ufeffb');
});

test('ids are UUIDv7 with the time in front', () => {
  const id = uuidV7(0x0123456789ab);
  expect(id).toMatch(/^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(uuidV7()).not.toBe(uuidV7());
});
