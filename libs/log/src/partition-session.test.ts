import { LOG_PATTERNS } from './log-patterns';
import { MemoryLog } from './memory-log';
import { PartitionSession } from './partition-session';

/** A session whose app starts when told to. */
function start(): { session: PartitionSession; fail: (error: Error) => void; troubles: string[]; isAsked: Promise<void> } {
  const troubles: string[] = [];
  let fail!: (error: Error) => void;
  let told!: () => void;
  const isAsked = new Promise<void>((resolve) => (told = resolve));
  const session = new PartitionSession({
    log: new MemoryLog(), topic: 't', partition: 0, after: Promise.resolve(),
    call: (pattern) => {
      if (pattern !== LOG_PATTERNS.assigned) return Promise.resolve();
      told();
      return new Promise((_, reject) => (fail = reject));
    },
    onTrouble: (text, error) => troubles.push(`${text}: ${String(error)}`),
  });
  return { session, fail: (error) => fail(error), troubles, isAsked };
}

test('a start that fails is said with its cause', async () => {
  const { session, fail, troubles, isAsked } = start();
  await isAsked;
  fail(new Error('no leader'));
  await new Promise(setImmediate);
  expect(troubles).toEqual(['the partition could not be started: Error: no leader']);
  await session.revoke();
});

test('a start that its own revocation cut short is no trouble', async () => {
  const { session, fail, troubles, isAsked } = start();
  await isAsked;
  const over = session.revoke();
  fail(new Error('NOT_OWNER'));
  await over;
  expect(troubles).toEqual([]);
});
