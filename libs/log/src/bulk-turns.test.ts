import { eventually } from '../../../test/support/eventually';
import { slowdown } from '../../../test/support/slowdown';
import { BulkTurns } from './bulk-turns';

const MIB = 1024 * 1024;

/** Interactive goes on meanwhile. @returns how long it took until it was the turn of each, ms */
async function waits(turns: BulkTurns, count: number, bytes: number, disturb: () => void = () => undefined): Promise<number[]> {
  const busy = setInterval(() => {
    turns.noteInteractive();
    disturb();
  }, 5);
  const startedAt = performance.now();
  const waited = await Promise.all(Array.from({ length: count }, () => turns.turn(bytes).then(() => performance.now() - startedAt)));
  clearInterval(busy);
  return waited;
}

/** On a machine that stands still for longer than interactive counts as flowing, nobody has to wait: then it is looked at once more. */
const unlessStarved = eventually;

function block(forMs: number): void {
  for (const until = performance.now() + forMs; performance.now() < until;);
}

test('[KAFKA-25] bulk waits for a turn only while interactive flows', async () => {
  const turns = new BulkTurns();
  turns.noteBulk(MIB);
  expect(turns.isHeld()).toBe(false);
  turns.noteInteractive();
  expect(turns.isHeld()).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(turns.isHeld()).toBe(false);
});

test('[KAFKA-25] what fits into a turn goes on together; what does not waits for the next, in the order it came', async () => {
  await unlessStarved(async () => {
    const turns = new BulkTurns();
    turns.noteInteractive();
    const small = await waits(turns, 4, 1000);
    expect(Math.max(...small) - Math.min(...small)).toBeLessThan(5);
    turns.noteBulk(MIB); // used up
    turns.noteInteractive();
    const large = await waits(turns, 4, MIB);
    for (let n = 1; n < 4; n += 1) expect(large[n]! - large[n - 1]!).toBeGreaterThan(15);
  });
});

test('[KAFKA-25] within a turn that has begun nobody waits, until it is used up', async () => {
  await unlessStarved(async () => {
    const turns = new BulkTurns();
    turns.noteInteractive();
    await turns.turn(1000);
    expect(turns.isHeld()).toBe(false);
    turns.noteBulk(MIB);
    expect(turns.isHeld()).toBe(true);
  });
});

test('[KAFKA-25] nobody overtakes who waits, not even in a turn that has begun', async () => {
  const turns = new BulkTurns();
  turns.noteInteractive();
  const order: number[] = [];
  const inOrder = (n: number, bytes: number): Promise<unknown> => turns.turn(bytes).then(() => order.push(n));
  const [first, ...others] = [inOrder(1, MIB), inOrder(2, MIB)];
  await first;
  await Promise.all([...others, inOrder(3, 1)]);
  expect(order).toEqual([1, 2, 3]);
});

test('[KAFKA-25] while the loop is late bulk stays away for much longer, but not for ever', async () => {
  await unlessStarved(async () => {
    const turns = new BulkTurns();
    turns.noteInteractive();
    const [first, , last] = await waits(turns, 3, MIB, () => block(15));
    expect(last! - first!).toBeGreaterThan(150);
  });
});

test('[KAFKA-25] when interactive has ended all who waited go on', async () => {
  const turns = new BulkTurns();
  turns.noteInteractive();
  const waiting = Array.from({ length: 100 }, () => turns.turn(MIB));
  const startedAt = performance.now();
  await Promise.all(waiting);
  expect(performance.now() - startedAt).toBeLessThan(100 * 20 * slowdown());
});
