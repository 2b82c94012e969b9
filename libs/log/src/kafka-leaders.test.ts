import { KafkaLeaders } from './kafka-leaders';

beforeEach(() => { jest.useFakeTimers(); });
afterEach(() => { jest.useRealTimers(); });

test('[KAFKA-27] what a broker says of leaders of before is not believed, partition by partition', () => {
  const leaders = new KafkaLeaders();
  expect(leaders.of('t', 0)).toEqual({ nodeId: -1, epoch: -1 });
  leaders.learn('t', [{ nodeId: 1, epoch: 4 }, { nodeId: 2, epoch: 9 }]);
  leaders.learn('t', [{ nodeId: 3, epoch: 3 }, { nodeId: 3, epoch: 10 }]);
  expect(leaders.of('t', 0)).toMatchObject({ nodeId: 1, epoch: 4 });
  expect(leaders.of('t', 1)).toMatchObject({ nodeId: 3, epoch: 10 });
});

test('between two leaders nobody leads, and the epoch is kept', () => {
  const leaders = new KafkaLeaders();
  leaders.learn('t', [{ nodeId: 1, epoch: 4 }]);
  leaders.learn('t', [{ nodeId: -1, epoch: 4 }]);
  expect(leaders.of('t', 0)).toMatchObject({ nodeId: -1, epoch: 4 });
});

test('a topic that was made anew is believed once nobody knows the one of before any more', () => {
  const leaders = new KafkaLeaders();
  const [before, anew] = [[{ nodeId: 1, epoch: 4 }], [{ nodeId: 2, epoch: 0 }]];
  leaders.learn('t', before);
  leaders.learn('t', anew);
  jest.advanceTimersByTime(29_000);
  leaders.learn('t', before); // somebody does
  leaders.learn('t', anew);
  jest.advanceTimersByTime(29_000);
  leaders.learn('t', anew);
  expect(leaders.of('t', 0)).toMatchObject(before[0]!);
  jest.advanceTimersByTime(1000);
  leaders.learn('t', anew);
  expect(leaders.of('t', 0)).toMatchObject(anew[0]!);
});
