import { CHANNEL, SimChannelSession } from './sim-channel-session';
import type { SimWorld } from './sim-world';

const READERS = 3;

/** All streams of the world become streams of one channel, and readers follow it. @returns the readers */
export function withChannel(world: SimWorld): SimChannelSession[] {
  for (const { open } of world.plan.streams) open.channel = CHANNEL;
  return Array.from({ length: READERS }, (_, n) => {
    const session = new SimChannelSession(world, `channel${n}`, world.seed * 3 + n);
    world.channelSessions.push(session);
    session.start();
    return session;
  });
}
