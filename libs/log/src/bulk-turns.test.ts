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

test('[KAFKA-25] bulk goes on as soon as the loop has time', async () => {
  let looks = 0;
  const turns = new BulkTurns({ isBusy: () => (looks += 1) < 3 });
  turns.noteInteractive();
  await turns.free();
  expect(looks).toBeLessThanOrEqual(3);
});

test('[KAFKA-25] a loop that is never free holds bulk back for a quarter of a second, not for as many looks as fit into one elsewhere', async () => {
  let looks = 0;
  const spin = (ms: number): void => { for (const until = performance.now() + ms; performance.now() < until;); };
  const turns = new BulkTurns({ isBusy: () => { looks += 1; spin(30); return true; } });
  const flowing = setInterval(() => turns.noteInteractive(), 1);
  turns.noteInteractive();
  const startedAt = performance.now();
  await turns.free();
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(250);
  expect(looks).toBeLessThan(10);
  expect(turns.isHeld()).toBe(true);
  clearInterval(flowing);
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
