import { spawn } from 'node:child_process';
import os from 'node:os';
import { slowdown } from './slowdown';

test('where more wants to run than there are cores, work takes longer by the clock than on its core', async () => {
  const busy = Array.from({ length: 3 * os.availableParallelism() }, () => spawn(process.execPath, ['-e', 'console.log(1); for (;;);']));
  await Promise.all(busy.map((child) => new Promise((resolve) => child.stdout.once('data', resolve))));
  const factors = Array.from({ length: 5 }, slowdown);
  for (const child of busy) child.kill('SIGKILL');
  expect(Math.max(...factors)).toBeGreaterThan(1.5);
  expect(Math.min(...factors)).toBeGreaterThanOrEqual(1);
});
