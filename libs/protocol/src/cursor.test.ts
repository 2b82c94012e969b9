import { append, end, opened, retry } from '../../../test/support/records';
import { formatCursor, formatFinalCursor, parseCursor, resolveCursor } from './cursor';
import type { StreamError } from './errors';

const codeOf = (call: () => unknown): string => {
  try {
    call();
    return 'nothing thrown';
  } catch (error) {
    return (error as StreamError).code;
  }
};

test('[WATCH-2] a cursor is epoch.sequence, or epoch.sequence.f for the final event', () => {
  expect(parseCursor(formatCursor(2, 0))).toEqual({ epoch: 2, sequence: 0, isFinal: false });
  expect(parseCursor(formatFinalCursor(1, 2 ** 53 - 1))).toEqual({ epoch: 1, sequence: 2 ** 53 - 1, isFinal: true });
});

test('[WATCH-2] a malformed cursor is CURSOR_INVALID', () => {
  const texts = ['', '1', '1.', '.1', '0.1', '01.1', '1.01', '1.1.', '1.1.g', '1.1.f ', ' 1.1', '1.-1', '1.1e3', '1.9007199254740992', '１.1', '1.1\n', 'x'.repeat(9e6)];
  for (const text of texts) expect(codeOf(() => parseCursor(text))).toBe('CURSOR_INVALID');
});

const at = (text: string) => parseCursor(text);

test('[WATCH-2] a cursor of the current epoch stands as it is', () => {
  const { attempts, next } = opened().push(append(1, ['a', 'b', 'c'])).known;
  expect(resolveCursor(at('1.0'), attempts, next)).toEqual({ epoch: 1, sequence: 0, needsRewind: false });
  expect(resolveCursor(at('1.3'), attempts, next)).toEqual({ epoch: 1, sequence: 3, needsRewind: false });
});

test('[WATCH-2] an old cursor goes on after keep: all, in whatever epoch the content is now', () => {
  const { attempts, next } = opened().push(append(1, ['a', 'b']), retry(2), append(3, 'c', { epoch: 2 }), retry(3)).known;
  expect(resolveCursor(at('1.2'), attempts, next)).toEqual({ epoch: 3, sequence: 2, needsRewind: false });
  expect(resolveCursor(at('1.1'), attempts, next)).toEqual({ epoch: 3, sequence: 1, needsRewind: false });
  expect(resolveCursor(at('2.3'), attempts, next)).toEqual({ epoch: 3, sequence: 3, needsRewind: false });
  expect(resolveCursor(at('3.0'), attempts, next)).toEqual({ epoch: 3, sequence: 0, needsRewind: false });
});

test('[WATCH-2] an old cursor needs a rewind after keep: none, also when attempts went on since', () => {
  const fold = opened().push(append(1, ['a', 'b']), retry(2, 'none'), append(1, 'z', { epoch: 2 }), retry(3));
  const { attempts, next } = fold.known;
  expect(resolveCursor(at('1.2'), attempts, next)).toEqual({ epoch: 3, sequence: 0, needsRewind: true });
  expect(resolveCursor(at('1.999'), attempts, next)).toEqual({ epoch: 3, sequence: 0, needsRewind: true });
  expect(resolveCursor(at('2.1'), attempts, next)).toEqual({ epoch: 3, sequence: 1, needsRewind: false });
});

test('[WATCH-2] a cursor ahead of everything is CURSOR_UNKNOWN', () => {
  const { attempts, next } = opened().push(append(1, ['a', 'b']), retry(2), append(3, 'c', { epoch: 2 })).known;
  for (const cursor of ['2.4', '3.0', '1.3']) expect(codeOf(() => resolveCursor(at(cursor), attempts, next))).toBe('CURSOR_UNKNOWN');
});

test('[WATCH-2] the cursor of the final event resolves to the end of the content', () => {
  const { attempts, next, final } = opened().push(append(1, 'a'), end(1)).known;
  const cursor = at(formatFinalCursor(final!.epoch, final!.sequence));
  expect(cursor.isFinal).toBe(true);
  expect(resolveCursor(cursor, attempts, next)).toEqual({ epoch: 1, sequence: 1, needsRewind: false });
});
