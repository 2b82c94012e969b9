import { PositionIndex } from '@rivulet/protocol';
import { opened, STREAM_NO } from '../../../test/support/records';
import { OpenStream } from './open-stream';
import { ReplayMarks } from './replay-marks';
import { ViewCache } from './view-cache';

const views = new ViewCache({ bytesMax: 1_024 });
const stream = (): OpenStream =>
  new OpenStream(STREAM_NO, 0, opened().known, new PositionIndex(), -1, (streamNo) => views.create(streamNo));

test('[OWN-3] the least start is that of the stream that waits longest for its checkpoint', () => {
  const marks = new ReplayMarks();
  const [a, b] = [stream(), stream()];
  marks.note(a, 5, 500, 1);
  marks.note(b, 7, 700, 2);
  marks.note(a, 9, 900, 3); // already marked: its start stays the first
  expect(marks.first).toMatchObject({ offset: 5, bytesBefore: 500 });
  marks.depart(a);
  marks.land(a);
  expect(marks.first).toMatchObject({ offset: 7 });
});

test('[OWN-3] a checkpoint on its way holds replayFrom back until it is acknowledged', () => {
  const marks = new ReplayMarks();
  const one = stream();
  marks.note(one, 5, 0, 0);
  marks.depart(one);
  expect(marks.first).toMatchObject({ offset: 5 });
  marks.note(one, 8, 0, 0); // a record after the state was taken
  marks.land(one);
  expect(marks.first).toMatchObject({ offset: 8 });
});

test('[OWN-3] when it was not written the older start holds again', () => {
  const marks = new ReplayMarks();
  const one = stream();
  marks.note(one, 5, 0, 0);
  marks.depart(one);
  marks.note(one, 8, 0, 0);
  marks.returnBack(one);
  expect(marks.first).toMatchObject({ offset: 5 });
  expect(marks.size).toBe(1);
  marks.depart(one);
  marks.land(one);
  expect(marks.first).toBeUndefined();
});

test('[OWN-3] asked for what holds replayFrom back, it names the oldest by bytes or by age and no others', () => {
  const marks = new ReplayMarks();
  const streams = [stream(), stream(), stream()];
  streams.forEach((one, index) => marks.note(one, index, index * 100, index * 10));
  expect([...marks.heldBackBy(150, 0)]).toEqual(streams.slice(0, 2));
  expect([...marks.heldBackBy(0, 15)]).toEqual(streams.slice(0, 2));
  expect([...marks.heldBackBy(0, 0)]).toEqual([]);
  expect([...marks.heldBackBy(Infinity, Infinity)]).toEqual(streams);
});
