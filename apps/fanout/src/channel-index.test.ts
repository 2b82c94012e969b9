import { ChannelIndex } from './channel-index';
import type { KnownStream } from './stream-source';

const stream = (streamNo: string, openedOffset: number): KnownStream => ({ streamNo, partition: 0, openedOffset });

test('[WATCH-12] a replica that begins to serve tells of its own streams, in the order of the log, and of none that another is still restoring', () => {
  const index = new ChannelIndex();
  const told: KnownStream[][] = [];
  const stop = index.follow('c', (streams) => told.push([...streams]));
  // The other one has 100 from lifecycle, and 70 is only met by its replay.
  const mine = [stream('b', 50), stream('a', 10)];
  for (const one of [...mine, stream('restored', 100)]) index.add('c', one);
  index.announceAll((one) => mine.some(({ streamNo }) => streamNo === one.streamNo));
  expect(told).toEqual([[stream('a', 10), stream('b', 50)]]);
  stop();
  index.announceAll(() => true);
  expect(told).toHaveLength(1);
});

test('a stream that two replicas hold stays known until both have let it go', () => {
  const index = new ChannelIndex();
  index.add('c', stream('a', 1));
  index.add('c', stream('a', 1));
  index.remove('c', 'a');
  expect(index.streams('c')).toEqual([stream('a', 1)]);
  index.remove('c', 'a');
  expect(index.streams('c')).toEqual([]);
});
