import { createHmac, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import type { StreamError } from './errors';
import type { Mac } from './stream-no';
import { issueStreamNo, parseStreamNo, verifyStreamNo } from './stream-no';

const macOf = (key: string): Mac => (bytes) => createHmac('sha256', key).update(bytes).digest();
const mac = macOf('key one');
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const parts = fc.record({
  time: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  partition: fc.integer({ min: 0, max: 65_535 }),
  random: fc.uint8Array({ minLength: 5, maxLength: 5 }),
});

function notIssued(text: string, macs: Mac[]): void {
  try {
    verifyStreamNo(text, macs);
  } catch (error) {
    expect((error as StreamError).code).toBe('STREAM_NO_NOT_ISSUED');
    return;
  }
  throw new Error(`${text} was taken`);
}

/** The same layout, told by arithmetic on one large number. */
function spelled(time: number, partition: number, random: Uint8Array): string {
  const random36 = BigInt(`0x${Buffer.from(random).toString('hex')}`) >> 4n;
  const body = (((1n << 48n | BigInt(time)) << 16n | BigInt(partition)) << 36n) | random36;
  const bytes = Buffer.from(body.toString(16).padStart(26, '0'), 'hex');
  const tag = BigInt(`0x${createHmac('sha256', 'key one').update(bytes).digest('hex').slice(0, 14)}`);
  let rest = body << 56n | tag;
  let text = '';
  for (let index = 0; index < 32; index++, rest >>= 5n) text = ALPHABET[Number(rest & 31n)]! + text;
  return text;
}

test('[NO-1] 32 characters: version 4 bits, time 48, partition 16, random 36, HMAC-SHA-256 56 over the rest', () => {
  fc.assert(fc.property(parts, ({ time, partition, random }) => {
    const text = issueStreamNo({ time, partition, random }, mac);
    expect(text).toBe(spelled(time, partition, random));
    expect(text).toMatch(/^[0-9a-hjkmnp-tv-z]{32}$/);
    expect(parseStreamNo(text)).toEqual({ version: 1, time, partition });
    expect(verifyStreamNo(text, [mac])).toEqual({ version: 1, time, partition });
  }));
});

test('[NO-1] they sort by time', () => {
  fc.assert(fc.property(parts, parts, (a, b) => {
    fc.pre(a.time !== b.time);
    expect(issueStreamNo(a, mac) < issueStreamNo(b, mac)).toBe(a.time < b.time);
  }));
});

test('[NO-1] two MAC keys may be valid at once, so keys can rotate', () => {
  const old = issueStreamNo({ time: 1_700_000_000_000, partition: 7, random: randomBytes(5) }, mac);
  expect(verifyStreamNo(old, [macOf('key two'), mac]).partition).toBe(7);
  notIssued(old, [macOf('key two')]);
  notIssued(old, []);
});

test('[NO-2] one altered character, anywhere, and it was not issued', () => {
  fc.assert(fc.property(parts, fc.nat(31), fc.integer({ min: 1, max: 31 }), (issued, place, shift) => {
    const text = issueStreamNo(issued, mac);
    const altered = ALPHABET[(ALPHABET.indexOf(text[place]!) + shift) % 32]!;
    notIssued(text.slice(0, place) + altered + text.slice(place + 1), [mac]);
  }));
});

test('[NO-2] made-up, foreign, empty, longer, upper-case and look-alike texts were not issued', () => {
  const text = issueStreamNo({ time: 1_700_000_000_000, partition: 7, random: randomBytes(5) }, mac);
  const fakes = ['', 'my-stream', '0'.repeat(32), text.slice(1), `${text}0`, text.toUpperCase(), `${text} `, '\u0130'.repeat(32), text.replace(/./, 'l')];
  for (const fake of fakes) notIssued(fake, [mac]);
  fc.assert(fc.property(fc.string({ minLength: 32, maxLength: 32, unit: 'binary' }), (fake) => notIssued(fake, [mac])));
});

test('[NO-1] parts that do not fit are a fault of the program', () => {
  const random = randomBytes(5);
  expect(() => issueStreamNo({ time: -1, partition: 0, random }, mac)).toThrow(RangeError);
  expect(() => issueStreamNo({ time: 0, partition: 65_536, random }, mac)).toThrow(RangeError);
  expect(() => issueStreamNo({ time: 0, partition: 0, random: randomBytes(4) }, mac)).toThrow(RangeError);
});
