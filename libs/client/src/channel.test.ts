import type { FragmentEvent, ReaderEvent } from '@rivulet/protocol';
import { Progress } from './channel';

const fragment = (from: number, text: string): FragmentEvent => (
  { type: 'fragment', streamNo: 's', from, to: from + text.length - 1, cursor: `1.${from + text.length - 1}`, text });
const stream = (epoch: number): ReaderEvent => (
  { type: 'stream', streamNo: 's', status: 'open', epoch, attempt: epoch, contentType: 'text/plain', merge: 'text', channel: 'c', metadata: {} });

function follow(progress: Progress, events: ReaderEvent[]): ReaderEvent[] {
  return events.flatMap((event) => progress.take(event));
}
const textOf = (events: ReaderEvent[]): string => events.map((event) => (event.type === 'fragment' ? event.text : '')).join('');

test('[WATCH-1] what a channel repeats after a reconnect is left out, and a straddling event trimmed', () => {
  const progress = new Progress();
  const first = follow(progress, [stream(1), fragment(1, 'a'), fragment(2, 'bc'), fragment(4, 'd')]);
  progress.restart();
  const second = follow(progress, [stream(1), fragment(1, 'abc'), fragment(4, 'def'), fragment(7, 'g')]);
  expect(textOf([...first, ...second])).toBe('abcdefg');
  expect(second.filter((event) => event.type === 'fragment').map((event) => (event as FragmentEvent).from)).toEqual([5, 7]);
  progress.restart();
  expect(textOf(follow(progress, [stream(1), fragment(1, 'abcdefgh')]))).toBe('h');
});

test('[WATCH-3] the newest value of a `latest` stream is never trimmed away after a reconnect', () => {
  const progress = new Progress();
  const latest = { ...stream(1), merge: 'latest' } as ReaderEvent;
  const value = (from: number, to: number): FragmentEvent => ({ type: 'fragment', streamNo: 's', from, to, cursor: `1.${to}`, items: [to] });
  follow(progress, [latest, value(1, 1), value(2, 2), value(3, 3)]);
  progress.restart();
  expect(follow(progress, [latest, value(1, 5)]).slice(1)).toEqual([{ ...value(1, 5), from: 4 }]);
  progress.restart();
  expect(follow(progress, [latest, value(1, 5), value(6, 6)]).slice(1)).toEqual([value(6, 6)]);
});

test('a rewind missed while disconnected is told', () => {
  const progress = new Progress();
  follow(progress, [stream(1), fragment(1, 'old')]);
  progress.restart();
  const after = follow(progress, [stream(2), { ...fragment(1, 'new'), cursor: '2.3' }]);
  expect(after.map((event) => event.type)).toEqual(['rewind', 'stream', 'fragment']);
  expect(textOf(after)).toBe('new');
});

test('[WATCH-9] nothing follows final', () => {
  const progress = new Progress();
  const final = { type: 'final', streamNo: 's', cursor: '1.1.f' } as ReaderEvent;
  expect(follow(progress, [stream(1), fragment(1, 'a'), final])).toHaveLength(3);
  progress.restart();
  expect(follow(progress, [stream(1), fragment(1, 'a'), final])).toEqual([]);
});
