import { codeOf, plain } from './log-suite';
import type { RecordToAppend } from './log';
import { PartitionBatcher, PermanentSendError } from './partition-batcher';
import type { PartitionBatcherOptions, SendRoute } from './partition-batcher';

interface Request {
  sent: Map<number, string[]>;
  answer(outcomes?: [partition: number, outcome: number | Error][]): void;
  refuse(error: Error): void;
}

/** A batcher whose sends the test answers one by one. */
function open(options: Partial<PartitionBatcherOptions<string>> = {}, leaderOf?: SendRoute['leaderOf']) {
  const requests: Request[] = [];
  const waiting: (() => void)[] = [];
  const batcher = new PartitionBatcher<string>({
    ...plain('t'),
    backoffMs: 1,
    ...options,
    route: {
      ...(leaderOf && { leaderOf }),
      send: (batches: ReadonlyMap<number, readonly RecordToAppend[]>) => new Promise((resolve, reject) => {
        const sent = new Map([...batches].map(([partition, records]) => [partition, records.map(({ value }) => String(value))]));
        requests.push({
          sent,
          answer: (outcomes = [...sent.keys()].map((partition) => [partition, 0])) => resolve(new Map(outcomes)),
          refuse: reject,
        });
        waiting.shift()?.();
      }),
    },
  });
  opened.push(batcher);
  let taken = 0;
  const next = async (): Promise<Request> => {
    if (requests.length <= taken) await new Promise<void>((resolve) => waiting.push(resolve));
    return requests[taken++]!;
  };
  return { batcher, next, requests };
}

const opened: PartitionBatcher<string>[] = [];
afterEach(async () => {
  jest.useRealTimers();
  await Promise.all(opened.splice(0).map((batcher) => batcher.close()));
});

/** Time as the test says: deadlines are met neither early nor late. @returns what lets it pass */
function clock(): (ms: number) => Promise<void> {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask', 'nextTick'] });
  return (ms) => jest.advanceTimersByTimeAsync(ms);
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('[KAFKA-1] a partition has one batch on the wire; what arrives meanwhile leaves together', async () => {
  const { batcher, next, requests } = open();
  const first = batcher.append(0, 'a', 1);
  const request = await next();
  const rest = ['b', 'c', 'd'].map((entry) => batcher.append(0, entry, 1));
  await turn();
  expect(requests).toHaveLength(1);
  request.answer([[0, 10]]);
  await expect(first).resolves.toEqual({ offset: 10 });
  const second = await next();
  expect(second.sent).toEqual(new Map([[0, ['b', 'c', 'd']]]));
  second.answer([[0, 11]]);
  await expect(Promise.all(rest)).resolves.toEqual([{ offset: 11 }, { offset: 12 }, { offset: 13 }]);
});

test('[KAFKA-4] all ready partitions leave in one request, and at most two requests are on the wire', async () => {
  const { batcher, next, requests } = open();
  for (const partition of [0, 1, 2]) void batcher.append(partition, `a${partition}`, 1);
  const first = await next();
  expect([...first.sent.keys()]).toEqual([0, 1, 2]);
  void batcher.append(3, 'a3', 1);
  const second = await next();
  void batcher.append(4, 'a4', 1);
  void batcher.append(5, 'a5', 1);
  await turn();
  expect(requests).toHaveLength(2);
  second.answer();
  const third = await next();
  expect([...third.sent.keys()]).toEqual([4, 5]);
  first.answer();
  third.answer();
  await batcher.close();
});

test('[KAFKA-4] each leader has requests of its own: one that hangs delays only what it leads', async () => {
  const { batcher, next, requests } = open({}, (partition) => partition % 2);
  // Two requests hang at leader 1, which is its bound.
  const hanging = [batcher.append(1, 'a1', 1)];
  const first = await next();
  hanging.push(batcher.append(3, 'a3', 1));
  const second = await next();
  hanging.push(batcher.append(5, 'a5', 1));
  for (let i = 0; i < 10; i += 1) {
    const appended = [batcher.append(0, `${i}`, 1), batcher.append(2, `${i}`, 1)];
    const request = await next();
    expect([...request.sent.keys()]).toEqual([0, 2]);
    request.answer();
    await Promise.all(appended);
  }
  expect(requests).toHaveLength(12);
  first.answer();
  second.answer();
  const third = await next();
  expect(third.sent).toEqual(new Map([[5, ['a5']]]));
  third.answer();
  await Promise.all(hanging);
});

test('[KAFKA-4] a batch that failed is sent to the leader of now, still before anything newer', async () => {
  let leader = 1;
  const { batcher, next } = open({}, (partition) => (partition === 0 ? leader : 1));
  const appended = [batcher.append(0, 'a', 1), batcher.append(1, 'other', 1)];
  const first = await next();
  expect([...first.sent.keys()]).toEqual([0, 1]);
  appended.push(batcher.append(0, 'b', 1));
  leader = 2;
  first.answer([[0, new Error('not the leader')], [1, 4]]);
  await expect(appended[1]).resolves.toEqual({ offset: 4 });
  const again = await next();
  expect(again.sent).toEqual(new Map([[0, ['a']]]));
  again.answer([[0, 8]]);
  const newer = await next();
  expect(newer.sent).toEqual(new Map([[0, ['b']]]));
  newer.answer([[0, 9]]);
  await expect(Promise.all(appended)).resolves.toEqual([{ offset: 8 }, { offset: 4 }, { offset: 9 }]);
});

test('[KAFKA-6] a batch has at most 1000 entries and 512 kB, whatever was asked for', async () => {
  const { batcher, next } = open({ batchEntriesMax: 1_000_000, batchBytesMax: 1e9, queueBytesMax: 1e9 });
  for (let i = 0; i < 2500; i += 1) void batcher.append(0, 'x', 1);
  for (let i = 0; i < 3; i += 1) void batcher.append(1, 'y', 300 * 1024);
  const sizes: (number | undefined)[][] = [];
  for (let i = 0; i < 3; i += 1) {
    const request = await next();
    sizes.push([request.sent.get(0)?.length, request.sent.get(1)?.length]);
    request.answer();
  }
  expect(sizes).toEqual([[1000, 1], [1000, 1], [500, 1]]);
});

test('[KAFKA-25] a request is bounded over its partitions; those that do not fit leave with the next one', async () => {
  const { batcher, next } = open({ requestBytesMax: 25 });
  for (const partition of [0, 1, 2, 3]) void batcher.append(partition, 'x', 10);
  void batcher.append(4, 'large', 50);
  const sizes: number[][] = [];
  for (let i = 0; i < 3; i += 1) {
    const request = await next();
    sizes.push([...request.sent.keys()]);
    request.answer();
  }
  expect(sizes).toEqual([[0, 1], [2, 3], [4]]);
});

test('an entry larger than a batch leaves alone', async () => {
  const { batcher, next } = open({ batchBytesMax: 10 });
  void batcher.append(0, 'large', 50);
  void batcher.append(0, 'small', 5);
  const large = await next();
  expect(large.sent.get(0)).toEqual(['large']);
  large.answer();
  (await next()).answer();
});

test('[KAFKA-4] a failed batch is sent again, unchanged, before anything newer of its partition', async () => {
  const { batcher, next } = open();
  const appended = [batcher.append(0, 'a', 1), batcher.append(0, 'b', 1)];
  const first = await next();
  appended.push(batcher.append(0, 'c', 1));
  first.refuse(new Error('away'));
  const again = await next();
  expect(again.sent.get(0)).toEqual(['a', 'b']);
  again.refuse(new Error('still away'));
  const third = await next();
  expect(third.sent.get(0)).toEqual(['a', 'b']);
  third.answer([[0, 0]]);
  const newer = await next();
  expect(newer.sent.get(0)).toEqual(['c']);
  newer.answer([[0, 2]]);
  await expect(Promise.all(appended)).resolves.toEqual([{ offset: 0 }, { offset: 1 }, { offset: 2 }]);
});

test('[KAFKA-3] a partition the answer leaves out was not acknowledged and is sent again; the others are done', async () => {
  const { batcher, next } = open();
  const kept = batcher.append(0, 'a', 1);
  const missed = batcher.append(1, 'b', 1);
  (await next()).answer([[0, 7]]);
  await expect(kept).resolves.toEqual({ offset: 7 });
  const again = await next();
  expect(again.sent).toEqual(new Map([[1, ['b']]]));
  again.answer([[1, 3]]);
  await expect(missed).resolves.toEqual({ offset: 3 });
});

test('[KAFKA-20] a request that hangs is LOG_UNAVAILABLE at the deadline, and nothing newer overtakes it', async () => {
  const pass = clock();
  const { batcher, next, requests } = open({ deadlineMs: 30 });
  const hanging = batcher.append(0, 'a', 1).catch(codeOf);
  const request = await next();
  const queued = batcher.append(0, 'b', 1).catch(codeOf);
  await pass(30);
  await expect(hanging).resolves.toBe('LOG_UNAVAILABLE');
  await expect(queued).resolves.toBe('LOG_UNAVAILABLE');
  expect(batcher.queuedBytes(0)).toBe(1); // the one on the wire still counts
  const later = batcher.append(0, 'c', 1);
  await turn();
  expect(requests).toHaveLength(1);
  request.refuse(new Error('timed out'));
  const after = await next();
  expect(after.sent.get(0)).toEqual(['c']); // what was rejected is not sent again
  after.answer([[0, 1]]);
  await expect(later).resolves.toEqual({ offset: 1 });
});

test('[APPEND-2] what waits behind a batch that was given up fails with it, so that nothing stands in the log without what was before it', async () => {
  const pass = clock();
  const { batcher, next, requests } = open({ deadlineMs: 100, batchEntriesMax: 1 });
  const first = batcher.append(0, 'a', 1).catch(codeOf);
  const request = await next();
  await pass(50);
  // Its own deadline is later than that of the batch before it.
  const behind = batcher.append(0, 'b', 1).catch(codeOf);
  const elsewhere = batcher.append(1, 'c', 1);
  (await next()).answer();
  await elsewhere;
  await pass(50);
  expect(await first).toBe('LOG_UNAVAILABLE');
  expect(await behind).toBe('LOG_UNAVAILABLE');
  request.refuse(new Error('timed out'));
  const resent = batcher.append(0, 'a', 1);
  const after = await next();
  expect(after.sent.get(0)).toEqual(['a']);
  after.answer();
  await resent;
  expect(requests).toHaveLength(3);
});

test('[APPEND-2] what waits behind an entry that was given up before it could leave fails with it', async () => {
  const pass = clock();
  const { batcher, next } = open({ deadlineMs: 100, requestsMax: 1 });
  const hanging = batcher.append(0, 'a', 1).catch(codeOf);
  const request = await next();
  const first = batcher.append(1, 'b', 1).catch(codeOf);
  await pass(50);
  const behind = batcher.append(1, 'c', 1).catch(codeOf);
  await pass(50);
  expect(await hanging).toBe('LOG_UNAVAILABLE');
  expect(await first).toBe('LOG_UNAVAILABLE');
  request.refuse(new Error('timed out'));
  const resent = batcher.append(1, 'b', 1);
  const after = await next();
  expect(after.sent).toEqual(new Map([[1, ['b']]]));
  after.answer();
  await resent;
  expect(await behind).toBe('LOG_UNAVAILABLE');
});

test('[KAFKA-5] a batch Kafka refuses for good is rejected at once and does not take its neighbours along', async () => {
  const { batcher, next } = open();
  const good = batcher.append(0, 'good', 1);
  const bad = batcher.append(1, 'bad', 1).catch(codeOf);
  (await next()).refuse(new PermanentSendError('too large'));
  for (let i = 0; i < 2; i += 1) {
    const request = await next();
    expect(request.sent.size).toBe(1);
    if (request.sent.has(1)) request.refuse(new PermanentSendError('too large'));
    else request.answer([[0, 5]]);
  }
  await expect(good).resolves.toEqual({ offset: 5 });
  await expect(bad).resolves.toBe('LOG_UNAVAILABLE');
});

test('[KAFKA-5] a partition that is refused for good by itself is rejected at once, and nobody is sent twice', async () => {
  const { batcher, next, requests } = open();
  const good = batcher.append(0, 'good', 1);
  const bad = batcher.append(1, 'bad', 1).catch(codeOf);
  (await next()).answer([[0, 5], [1, new PermanentSendError('too large')]]);
  await expect(good).resolves.toEqual({ offset: 5 });
  await expect(bad).resolves.toBe('LOG_UNAVAILABLE');
  await turn();
  expect(requests).toHaveLength(1);
});

test('an encode that throws rejects its own entries and nothing else', async () => {
  const { batcher, next } = open({
    batchEntriesMax: 1,
    encode: ([entry]) => {
      if (entry === 'bad') throw new RangeError('bad entry');
      return [{ key: 'k', value: Buffer.from(entry!), entries: 1 }];
    },
  });
  const bad = batcher.append(0, 'bad', 1);
  const good = batcher.append(0, 'good', 1);
  await expect(bad).rejects.toThrow('bad entry');
  (await next()).answer([[0, 0]]);
  await expect(good).resolves.toEqual({ offset: 0 });
  expect(batcher.queuedBytes(0)).toBe(0);
});
