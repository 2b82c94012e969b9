import { setImmediate } from 'node:timers/promises';
import { AppendWindow } from './append-window';

interface Post { sequences: number[]; acknowledge: () => void; refuse: (error: Error) => void }

function windowWith(options: { fragmentsMax?: number; inFlightMax?: number; bytesMax?: number } = {}) {
  const posts: Post[] = [];
  const failures: unknown[] = [];
  const window = new AppendWindow({
    firstSequence: 1, fragmentsMax: 4, bytesMax: 1000, postFragmentsMax: 64, postBytesMax: 100_000, inFlightMax: 2, ...options,
    post: (body) => new Promise<void>((resolve, reject) => {
      const parsed = JSON.parse(body as string) as { seq?: number; fragments?: { seq: number }[] };
      const sequences = parsed.fragments?.map((fragment) => fragment.seq) ?? [parsed.seq ?? 0];
      posts.push({ sequences, acknowledge: resolve, refuse: reject });
    }),
    onFailure: (error) => failures.push(error),
  });
  const push = (bytes = 1): { isInside: boolean; promise: Promise<void> } => {
    const pushed = { isInside: false, promise: window.push({ data: 'x' }, bytes) };
    pushed.promise.then(() => (pushed.isInside = true), () => undefined);
    return pushed;
  };
  return { window, posts, failures, push };
}

test('what waits while a POST is under way leaves packed into one', async () => {
  const { posts, push } = windowWith({ inFlightMax: 1 });
  for (let n = 0; n < 4; n += 1) push();
  expect(posts.map((post) => post.sequences)).toEqual([[1]]);
  posts[0]?.acknowledge();
  await setImmediate();
  expect(posts.map((post) => post.sequences)).toEqual([[1], [2, 3, 4]]);
});

test('[APPEND-2] nothing above contiguous-acknowledged + heldFragmentsMax is sent, and the writer waits', async () => {
  const { window, posts, push } = windowWith({ fragmentsMax: 3, inFlightMax: 8 });
  const pushed = [1, 2, 3, 4, 5].map(() => push());
  await setImmediate();
  expect(posts.flatMap((post) => post.sequences)).toEqual([1, 2, 3]);
  expect(pushed.map((one) => one.isInside)).toEqual([true, true, true, false, false]);
  // 2 and 3 acknowledged, 1 not: the prefix has not moved, so nothing may follow.
  posts[1]?.acknowledge();
  posts[2]?.acknowledge();
  await setImmediate();
  expect(posts).toHaveLength(3);
  expect(window.acknowledged).toBe(0);
  posts[0]?.acknowledge();
  await setImmediate();
  expect(window.acknowledged).toBe(3);
  expect(posts.flatMap((post) => post.sequences)).toEqual([1, 2, 3, 4, 5]);
  expect(pushed.every((one) => one.isInside)).toBe(true);
});

test('the window is bounded in bytes too, but one fragment always fits', async () => {
  const { posts, push } = windowWith({ bytesMax: 10, fragmentsMax: 64, inFlightMax: 8 });
  expect([push(50), push(4)].length).toBe(2);
  await setImmediate();
  expect(posts.map((post) => post.sequences)).toEqual([[1]]);
  posts[0]?.acknowledge();
  await setImmediate();
  expect(posts.map((post) => post.sequences)).toEqual([[1], [2]]);
});

test('flush waits for the contiguous prefix, not for a number of acknowledgements', async () => {
  const { window, posts, push } = windowWith();
  push();
  push();
  let isFlushed = false;
  const flushed = window.flush().then(() => (isFlushed = true));
  posts[1]?.acknowledge();
  await setImmediate();
  expect(isFlushed).toBe(false);
  posts[0]?.acknowledge();
  await flushed;
});

test('a final failure rejects who waits and whatever comes later', async () => {
  const { window, posts, failures, push } = windowWith({ fragmentsMax: 1 });
  push();
  const blocked = push().promise;
  const flushed = window.flush();
  posts[0]?.refuse(new Error('fenced'));
  await expect(blocked).rejects.toThrow('fenced');
  await expect(flushed).rejects.toThrow('fenced');
  await expect(window.push({ data: 'x' }, 1)).rejects.toThrow('fenced');
  expect(failures).toHaveLength(1);
});
