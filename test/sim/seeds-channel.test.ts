import { SimChannelSession, CHANNEL } from './sim-channel-session';
import { simulate } from './simulate';
import type { SimWorld } from './sim-world';

const SEEDS = 100;
const SEEDS_MS_MAX = 120_000;

/** All streams are of one channel, and three readers follow it. */
function withChannel(world: SimWorld): void {
  for (const { open } of world.plan.streams) open.channel = CHANNEL;
  for (let n = 0; n < 3; n += 1) {
    const session = new SimChannelSession(world, `channel${n}`, world.seed * 3 + n);
    world.channelSessions.push(session);
    session.start();
  }
}

test('[WATCH-12] whatever happens to instances, owners and the log, readers of a channel get every stream once, in order, to its end', async () => {
  const counts = { connects: 0, fragments: 0, resets: 0 };
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    let sessions: SimChannelSession[] = [];
    await simulate(seed, { onWorld: (world) => {
      withChannel(world);
      sessions = world.channelSessions;
    } });
    for (const session of sessions) for (const name of ['connects', 'fragments', 'resets'] as const) counts[name] += session.counts[name];
  }
  expect(counts.connects).toBeGreaterThan(10 * SEEDS);
  expect(counts.fragments).toBeGreaterThan(50 * SEEDS);
}, SEEDS_MS_MAX);
