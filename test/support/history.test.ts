import type { LogRecord, ReaderEvent } from '@rivulet/protocol';
import { checkHistory, naiveContent } from './history';
import type { Acknowledged, LoggedRecord } from './history';

const streamNo = 's';
const append = (epoch: number, firstSeq: number, ...texts: string[]): LogRecord =>
  ({ kind: 'append', epoch, firstSeq, writer: '', n: 0, writerRun: '', lane: '', payloads: texts.map((text) => Buffer.from(text)) });
const end = (lastSeq: number): LogRecord => ({ kind: 'end', epoch: 1, lastSeq, checksum: null, digest: '', metadata: {} });
const log = (...records: LogRecord[]): LoggedRecord[] => records.map((record, offset) => ({ offset, key: streamNo, record }));
const fragment = (from: number, to: number, text: string): ReaderEvent => ({ type: 'fragment', streamNo, from, to, cursor: `1.${to}`, text });
const final: ReaderEvent = {
  type: 'final', streamNo, cursor: '1.3.f', status: 'ended', reason: '', message: '', epoch: 1, sequence: 3, bytes: 3, checksum: 0, digest: '', metadata: {}, at: 0,
};
const acknowledged = (sequence: number, text: string): Acknowledged => ({ streamNo, epoch: 1, sequence, payload: Buffer.from(text) });
const records = log(append(1, 1, 'a', 'b'), append(1, 2, 'b', 'c'), end(3));
const check = (events: ReaderEvent[], acks: Acknowledged[] = []) => checkHistory({ records, acknowledged: acks, observed: [{ session: 'x', streamNo, events }] });

test('a true history has no breach', () => {
  expect(check([fragment(1, 1, 'a'), fragment(2, 3, 'bc'), final], [acknowledged(3, 'c')])).toEqual([]);
});

test.each([
  ['a gap', [fragment(1, 1, 'a'), fragment(3, 3, 'c'), final], 'gap'],
  ['a duplicate', [fragment(1, 2, 'ab'), fragment(2, 3, 'bc'), final], 'duplicate'],
  ['a reordering', [fragment(2, 2, 'b'), fragment(1, 1, 'a'), fragment(3, 3, 'c'), final], 'gap'],
  ['another byte', [fragment(1, 3, 'abX'), final], 'other bytes'],
  ['a missing end', [fragment(1, 3, 'abc')], 'no final event'],
  ['a short delivery', [fragment(1, 2, 'ab'), final], 'saw 2 of 3'],
  ['an event after the final one', [fragment(1, 3, 'abc'), final, { type: 'lost', streamNo } as ReaderEvent], 'after final'],
])('%s is found', (_, events, breach) => {
  expect(check(events).join('\n')).toContain(breach);
});

test('an acknowledged fragment that is not in the log is found', () => {
  expect(check([fragment(1, 3, 'abc'), final], [acknowledged(4, 'd')]).join()).toContain('not in the log');
});

test('the naive reading drops stale epochs and starts over when nothing is kept', () => {
  const retry: LogRecord = { kind: 'retry', epoch: 2, attemptId: 'r', keep: 'none', reason: '' };
  const content = naiveContent(log(append(1, 1, 'old'), retry, append(1, 2, 'stale'), append(2, 1, 'new')), streamNo);
  expect(content.fragments.map(String)).toEqual(['new']);
});
