import { Horizon } from './horizon';

test('[OWN-6] the horizon is the latest moment up to which everything in the log is folded', () => {
  const horizon = new Horizon(0, 10, 3_000);
  horizon.observe(10, 100);
  expect(horizon.at).toBe(100);
  horizon.observe(15, 200); // more is there than was folded
  expect(horizon.at).toBe(100);
  horizon.observe(20, 300); // a later sighting does not replace the earlier: on a busy partition the end would never be reached
  horizon.folded(14);
  expect(horizon.at).toBe(100);
  horizon.folded(15);
  expect(horizon.at).toBe(200);
  horizon.observe(18, 50); // an answer that was overtaken
  expect(horizon.at).toBe(200);
});

test('[OWN-6] clocks count along the horizon, and from its end when it stood still too long', () => {
  const horizon = new Horizon(0, 0, 3_000);
  horizon.observe(0, 1_000);
  horizon.observe(0, 2_000);
  expect(horizon.elapsedMs(500)).toBe(1_500);
  horizon.observe(0, 9_000);
  expect(horizon.elapsedMs(500)).toBe(0);
  horizon.observe(0, 10_000);
  expect(horizon.elapsedMs(500)).toBe(1_000);
});
