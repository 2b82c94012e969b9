import type { OwnerContext } from './owner-context';
import { PartitionFollower } from './partition-follower';
import type { Replica } from './replica';
import type { Timer } from './time';

interface Following { follower: PartitionFollower; starting: Promise<void>; idleSince: number | null }

/** The followers of this instance: partitions that others own, folded here as long as somebody reads them [OWN-8]. */
export class Followers {
  private readonly followings = new Map<number, Following>();
  private ticking: Timer | null = null;
  private isStopped = false;

  constructor(private readonly context: OwnerContext) {}

  get count(): number {
    return this.followings.size;
  }

  /** Records that are not folded yet. */
  get lag(): number {
    return [...this.followings.values()].reduce((sum, { follower }) => sum + follower.replica.lag, 0);
  }

  find(partition: number): Replica | undefined {
    return this.followings.get(partition)?.follower.replica;
  }

  /** @returns a replica that serves, started when there was none. @throws StreamError LOG_UNAVAILABLE, NOT_OWNER (given up meanwhile) */
  async follow(partition: number): Promise<Replica> {
    let following = this.followings.get(partition);
    if (following === undefined) this.followings.set(partition, (following = this.start(partition)));
    following.idleSince = null;
    await following.starting;
    following.follower.replica.assertNotOver();
    return following.follower.replica;
  }

  /** An owner of this instance has taken its place: its readers move there. */
  giveUp(partition: number): void {
    this.followings.get(partition)?.follower.stop();
  }

  stop(): void {
    this.isStopped = true;
    this.ticking?.cancel();
    for (const { follower } of [...this.followings.values()]) follower.stop();
  }

  private start(partition: number): Following {
    const follower = new PartitionFollower(partition, this.context);
    if (this.isStopped) follower.stop();
    const starting = follower.start();
    starting.catch(() => follower.stop()); // told to whoever waits for it
    void follower.replica.over.then(() => {
      if (this.followings.get(partition)?.follower === follower) this.followings.delete(partition);
    });
    if (this.ticking === null) this.scheduleTick();
    return { follower, starting, idleSince: null };
  }

  private scheduleTick(): void {
    const { time, settings } = this.context;
    this.ticking = time.after(settings.tickMs, () => {
      this.ticking = null;
      for (const following of this.followings.values()) this.dropIdle(following);
      if (this.followings.size > 0 && !this.isStopped) this.scheduleTick();
    });
  }

  /** It is kept for a while: whoever lost the connection comes back within seconds. */
  private dropIdle(following: Following): void {
    const { time, settings } = this.context;
    const { replica } = following.follower;
    if (replica.pins > 0 || !replica.isServing) following.idleSince = null;
    else following.idleSince ??= time.now();
    if (following.idleSince !== null && time.now() - following.idleSince >= settings.followIdleMs) following.follower.stop();
  }
}
