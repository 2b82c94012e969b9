import type { LogRecord, ReaderEvent } from '@rivulet/protocol';
import { checkHistory, digestOf } from './history';
import type { Acknowledged, Sealed } from './history';
import { NaiveStreams } from './naive-judge';
import type { LoggedRecord, NaiveStream } from './naive-judge';
import { open } from './records';

const streamNo = 's';
const append = (epoch: number, firstSeq: number, ...texts: string[]): LogRecord =>
  ({ kind: 'append', epoch, firstSeq, writer: '', n: 0, writerRun: '', lane: '', payloads: texts.map((text) => Buffer.from(text)) });
const end = (lastSeq: number, epoch = 1, checksum: number | null = null): LogRecord =>
  ({ kind: 'end', epoch, lastSeq, checksum, digest: '', metadata: {} });
const retry = (epoch: number, keep: 'all' | 'none'): LogRecord => ({ kind: 'retry', epoch, attemptId: `${epoch}`, keep, reason: '' });
const log = (...records: LogRecord[]): LoggedRecord[] =>
  [open(), ...records].map((record, offset) => ({ offset, timestamp: offset, key: streamNo, record }));
const fragment = (from: number, to: number, text: string, epoch = 1): ReaderEvent =>
  ({ type: 'fragment', streamNo, from, to, cursor: `${epoch}.${to}`, text });
const rewind = (epoch: number): ReaderEvent => ({ type: 'rewind', streamNo, epoch, cursor: `${epoch}.0` });
const NO_FACTS = { reason: '', message: '', epoch: 1, bytes: 0, checksum: 0, digest: '', metadata: {}, at: 0 };
const finalAs = (status: 'ended' | 'failed' | 'cancelled', sequence: number): ReaderEvent =>
  ({ ...NO_FACTS, type: 'final', streamNo, cursor: `1.${sequence}.f`, status, sequence });
const final = finalAs('ended', 3);
const acknowledged = (sequence: number, text: string, epoch = 1): Acknowledged =>
  ({ streamNo, epoch, sequence, payload: Buffer.from(text) });
const records = log(append(1, 1, 'a', 'b'), append(1, 2, 'b', 'c'), end(3));
const check = (events: ReaderEvent[], acks: Acknowledged[] = [], logged = records, sealed: Sealed[] = []): string =>
  checkHistory({ records: logged, acknowledged: acks, observed: [{ session: 'x', streamNo, events }], sealed }).join('\n');

test('a true history has no breach', () => {
  const sealed = { streamNo, status: 'ended', sequence: 3, digest: digestOf([Buffer.from('abc')]) };
  expect(check([fragment(1, 1, 'a'), fragment(2, 3, 'bc'), final], [acknowledged(3, 'c')], records, [sealed])).toBe('');
});

test.each([
  ['a gap', [fragment(1, 1, 'a'), fragment(3, 3, 'c'), final], 'gap'],
  ['a duplicate', [fragment(1, 2, 'ab'), fragment(2, 3, 'bc'), final], 'duplicate'],
  ['a reordering', [fragment(2, 2, 'b'), fragment(1, 1, 'a'), fragment(3, 3, 'c'), final], 'gap'],
  ['another byte', [fragment(1, 3, 'abX'), final], 'other bytes'],
  ['a missing end', [fragment(1, 3, 'abc')], 'no final event'],
  ['a short delivery', [fragment(1, 2, 'ab'), final], 'saw 2 of 3'],
  ['an event after the final one', [fragment(1, 3, 'abc'), final, { type: 'lost', streamNo } as ReaderEvent], 'after final'],
  ['another end than the log has', [fragment(1, 3, 'abc'), finalAs('failed', 3)], 'final says failed'],
  ['a cursor that names another place', [{ ...fragment(1, 3, 'abc'), cursor: '1.2' } as ReaderEvent, final], 'cursor 1.2'],
  ['content that started over for nothing', [fragment(1, 3, 'abc'), rewind(2), fragment(1, 3, 'abc', 2), final, rewind(2)], 'rewind after final'],
])('%s is found', (_, events, breach) => {
  expect(check(events)).toContain(breach);
});

test('a session that stays away before the end is checked as far as it came', () => {
  const unfinished = log(append(1, 1, 'a', 'b'));
  expect(check([fragment(1, 1, 'a')], [], unfinished)).toBe('');
  expect(check([fragment(1, 1, 'X')], [], unfinished)).toContain('other bytes');
});

test('an acknowledged fragment that is not in the log, or there with other bytes or under another epoch, is found', () => {
  const seen = [fragment(1, 3, 'abc'), final];
  for (const lost of [acknowledged(4, 'd'), acknowledged(3, 'X'), acknowledged(3, 'c', 2)]) expect(check(seen, [lost])).toContain('not in the log');
});

describe('attempts', () => {
  const kept = log(append(1, 1, 'a'), retry(2, 'all'), append(1, 2, 'Z'), append(2, 2, 'b'), end(2, 2));
  const over = log(append(1, 1, 'a', 'b'), retry(2, 'none'), append(1, 3, 'Z'), append(2, 1, 'c'), end(1, 2));

  test('what goes on after all that is there, and what starts over, have no breach', () => {
    expect(check([fragment(1, 1, 'a'), fragment(2, 2, 'b', 2), finalAs('ended', 2)], [], kept)).toBe('');
    expect(check([fragment(1, 2, 'ab'), rewind(2), fragment(1, 1, 'c', 2), finalAs('ended', 1)], [], over)).toBe('');
  });

  test.each([
    ['a stale fragment in the content', [fragment(1, 1, 'a'), fragment(2, 2, 'Z'), finalAs('ended', 2)], kept, 'other bytes'],
    ['a stale epoch after a newer one', [fragment(1, 1, 'a', 2), fragment(2, 2, 'b'), finalAs('ended', 2)], kept, 'stale epoch 1 after 2'],
    ['a rewind to an epoch that is over', [fragment(1, 1, 'a', 2), rewind(2), fragment(1, 2, 'ab', 2), finalAs('ended', 2)], kept, 'rewind to epoch 2'],
    ['a rewind that was not told', [fragment(1, 2, 'ab'), fragment(1, 1, 'c', 2), finalAs('ended', 1)], over, 'duplicate'],
    ['a stale epoch after a rewind', [rewind(2), fragment(1, 1, 'a'), finalAs('ended', 1)], over, 'stale epoch'],
  ])('%s is found', (_, events, logged, breach) => {
    expect(check(events, [], logged)).toContain(breach);
  });
});

test.each([
  ['another status', { status: 'failed', sequence: 3, digest: '' }, 'was told failed, the log says ended'],
  ['another length', { status: 'ended', sequence: 4, digest: '' }, 'was told 4 fragments'],
  ['other bytes', { status: 'ended', sequence: 3, digest: digestOf([]) }, 'sent other bytes'],
])('a verdict with %s than the log is found', (_, verdict, breach) => {
  expect(check([fragment(1, 3, 'abc'), final], [], records, [{ streamNo, ...verdict }])).toContain(breach);
});

describe('the naive reading', () => {
  const read = (...all: LogRecord[]): NaiveStream => {
    const streams = new NaiveStreams();
    for (const logged of log(...all)) streams.add(logged);
    return streams.get(streamNo)!;
  };
  const texts = (...all: LogRecord[]): string[] => read(...all).content.map(({ payload }) => String(payload));
  const statusOf = (...all: LogRecord[]): string => read(...all).status;
  const asRun = (record: LogRecord, writerRun: string): LogRecord => ({ ...record, writerRun }) as LogRecord;

  test('drops stale epochs and starts over when nothing is kept', () => {
    expect(texts(append(1, 1, 'old'), retry(2, 'none'), append(1, 2, 'stale'), append(2, 1, 'new'))).toEqual(['new']);
  });

  test('ignores an attempt that is not the next one', () => {
    expect(texts(append(1, 1, 'a'), retry(3, 'none'), append(3, 1, 'X'), append(1, 2, 'b'))).toEqual(['a', 'b']);
  });

  test('waits for what is missing and forgets it with the attempt', () => {
    expect(texts(append(1, 2, 'b'), append(1, 1, 'a'))).toEqual(['a', 'b']);
    expect(texts(append(1, 2, 'X'), retry(2, 'all'), append(2, 1, 'a'), append(2, 2, 'b'))).toEqual(['a', 'b']);
  });

  test('takes one run of a producer per attempt', () => {
    expect(texts(asRun(append(1, 1, 'a'), 'r'), asRun(append(1, 2, 'X'), 'q'), asRun(append(1, 2, 'b'), 'r'))).toEqual(['a', 'b']);
  });

  test('knows every end', () => {
    const gap: LogRecord = { kind: 'gap', epoch: 1, next: 2 };
    expect(statusOf(end(1), append(1, 1, 'a'))).toBe('ended');
    expect(statusOf(append(1, 1, 'a'), { kind: 'abort', epoch: 1, code: 'X', message: '' })).toBe('failed');
    expect(statusOf(append(1, 1, 'a'), { kind: 'cancel', by: '', reason: '' }, end(1))).toBe('cancelled');
    expect(statusOf(append(1, 1, 'a', 'b'), end(1))).toBe('failed');
    expect(statusOf(append(1, 1, 'a'), end(1, 1, 7))).toBe('failed');
    expect(statusOf(append(1, 1, 'a'), append(1, 3, 'c'), gap)).toBe('failed');
    expect(statusOf(append(1, 1, 'a'), gap, append(1, 2, 'b'), end(2))).toBe('ended');
  });
});
