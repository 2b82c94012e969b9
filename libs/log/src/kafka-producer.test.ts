import { outcomes } from './kafka-producer';
import { PermanentSendError } from './partition-batcher';

const NOT_LEADER = 6;
const MESSAGE_TOO_LARGE = 10;

test('[KAFKA-3] only errorCode 0 with a base offset, for a partition that was sent, is an acknowledgement', () => {
  const sent = new Map([0, 1, 2, 3, 4].map((partition) => [partition, []]));
  const partitions = [
    { partition: 0, errorCode: 0, baseOffset: '17' },
    { partition: 1, errorCode: NOT_LEADER, baseOffset: '5' },
    { partition: 2, errorCode: 0, baseOffset: '-1' },
    { partition: 3, errorCode: MESSAGE_TOO_LARGE, baseOffset: '-1' },
    { partition: 9, errorCode: 0, baseOffset: '1' },
  ];
  const found = outcomes({ topics: [{ topicName: 't', partitions }] }, sent);
  expect([...found].filter(([, outcome]) => typeof outcome === 'number')).toEqual([[0, 17]]);
  expect(found.get(1)).toBeInstanceOf(Error);
  expect(found.has(2)).toBe(false);
  expect(found.has(4)).toBe(false);
});

test('[KAFKA-5] a partition Kafka refuses for good says so for itself; one that moved may be tried again', () => {
  const partitions = [
    { partition: 0, errorCode: MESSAGE_TOO_LARGE, baseOffset: '-1' },
    { partition: 1, errorCode: NOT_LEADER, baseOffset: '-1' },
  ];
  const found = outcomes({ topics: [{ topicName: 't', partitions }] }, new Map([[0, []], [1, []]]));
  expect(found.get(0)).toBeInstanceOf(PermanentSendError);
  expect(found.get(1)).not.toBeInstanceOf(PermanentSendError);
});
