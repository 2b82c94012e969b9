import { BulkTurns } from './bulk-turns';

test('[KAFKA-25] bulk is held only while interactive flows and the loop is busy', () => {
  const load = { isBusy: () => true };
  const turns = new BulkTurns(load);
  expect(turns.isHeld()).toBe(false);
  turns.noteInteractive();
  expect(turns.isHeld()).toBe(true);
  load.isBusy = () => false;
  expect(turns.isHeld()).toBe(false);
});

test('[KAFKA-25] bulk goes on as soon as the loop has time, and in the end also when it has none', async () => {
  let looks = 0;
  const relieved = new BulkTurns({ isBusy: () => (looks += 1) < 3 });
  relieved.noteInteractive();
  await relieved.free();
  expect(looks).toBe(3);

  looks = 0;
  const turns = new BulkTurns({ isBusy: () => { looks += 1; turns.noteInteractive(); return true; } });
  turns.noteInteractive();
  await turns.free();
  expect(looks).toBe(26); // every 10 ms for a quarter of a second
  expect(turns.isHeld()).toBe(true);
});

test('[KAFKA-25] the load of the loop is seen: a process that only computes is busy, one that waits is not', async () => {
  const turns = new BulkTurns();
  const work = async (workMs: number, waitMs: number): Promise<boolean> => {
    for (let round = 0; round < 10; round += 1) {
      for (const until = performance.now() + workMs; performance.now() < until;);
      await new Promise((resolve) => (waitMs > 0 ? setTimeout(resolve, waitMs) : setImmediate(resolve)));
    }
    turns.noteInteractive();
    return turns.isHeld();
  };
  expect(await work(12, 0)).toBe(true);
  expect(await work(0, 12)).toBe(false);
});
