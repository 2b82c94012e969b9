import type { Route } from './append-entry';
import { WriterRuns } from './writer-runs';

const route = (run: string, epoch = 1, streamNo = 's'): Route =>
  ({ streamNo, partition: 0, epoch, run, rules: { merge: 'text', fragmentBytesMax: 1 }, quota: null });

test('[JUDGE-11] the first run of an epoch that is durable holds it; another one is refused, one without a name is not', () => {
  const runs = new WriterRuns();
  expect(runs.isRefused(route('b'))).toBe(false);
  runs.bind(route('a'));
  runs.bind(route('b'));
  expect(runs.isRefused(route('a'))).toBe(false);
  expect(runs.isRefused(route('b'))).toBe(true);
  expect(runs.isRefused(route(''))).toBe(false);
});

test('[JUDGE-11] a new epoch is free again, and what was late of the old one does not bind it', () => {
  const runs = new WriterRuns();
  runs.bind(route('a'));
  expect(runs.isRefused(route('b', 2))).toBe(false);
  runs.bind(route('b', 2));
  runs.bind(route('a'));
  expect(runs.isRefused(route('b', 2))).toBe(false);
  expect(runs.isRefused(route('a', 2))).toBe(true);
});

test('runs are remembered of a bounded number of streams, the oldest is forgotten', () => {
  const runs = new WriterRuns(2);
  for (const streamNo of ['r', 's', 't']) runs.bind(route('a', 1, streamNo));
  expect(['r', 's', 't'].map((streamNo) => runs.isRefused(route('b', 1, streamNo)))).toEqual([false, true, true]);
});
