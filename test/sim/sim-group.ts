import { assignSticky } from '../../libs/log/src/sticky-assignment';
import type { SimBroker } from './sim-broker';
import { SimProcess } from './virtual-loop';

interface Member { name: string; process: SimProcess; seenAt: number; holds: readonly number[] }

/** What a member does with the answer to a heartbeat: exactly these partitions are its own from now on. */
export type Granted = (partitions: readonly number[]) => void;

const EXPIRY_MS = 100;

/**
 * The group coordinator: who holds which partition. A partition moves when its holder has said that it gave it up, or was not heard of for
 * a session timeout: a member that is only paused or cut off goes on believing until it hears otherwise, and so there are two.
 */
export class SimGroup {
  readonly process = new SimProcess('group');
  /** Heartbeats of these members do not arrive. */
  readonly cut = new Set<string>();
  /** Partitions are kept away from these members, to move them. */
  readonly shunned = new Set<string>();
  private readonly members = new Map<string, Member>();
  private readonly holders = new Map<number, string>();

  constructor(private readonly broker: SimBroker, private readonly sessionTimeoutMs: number) {
    this.expireLater();
  }

  /** A heartbeat of a member, on its way. */
  beat(name: string, process: SimProcess, holds: readonly number[], granted: Granted, networkMs: () => number): void {
    const { loop } = this.broker;
    loop.after(this.process, networkMs(), () => {
      if (this.broker.isAway || this.cut.has(name) || process.isDead) return;
      this.members.set(name, { name, process, seenAt: loop.now, holds });
      for (const [partition, holder] of this.holders) if (holder === name && !holds.includes(partition)) this.giveUp(partition, name);
      const mine = this.grant(name);
      loop.after(process, networkMs(), () => granted(mine));
    });
  }

  leave(name: string): void {
    this.remove(name);
  }

  /** After an outage every member has a whole timeout again. */
  returned(): void {
    for (const member of this.members.values()) member.seenAt = this.broker.loop.now;
  }

  holderOf(partition: number): string | undefined {
    return this.holders.get(partition);
  }

  /** What it was told to hold and never took is not its own for long: only what it reports counts. */
  private giveUp(partition: number, name: string): void {
    if (this.targets().get(name)?.includes(partition) !== true) this.holders.delete(partition);
  }

  private grant(name: string): number[] {
    const wanted = this.targets().get(name) ?? [];
    return wanted.filter((partition) => {
      const holder = this.holders.get(partition);
      if (holder === undefined) this.holders.set(partition, name);
      return holder === undefined || holder === name;
    });
  }

  private targets(): Map<string, number[]> {
    const all = Array.from({ length: this.broker.partitions }, (_, partition) => partition);
    const live = [...this.members.values()].filter(({ name }) => !this.shunned.has(name));
    const members = (live.length > 0 ? live : [...this.members.values()])
      .map(({ name }) => ({ id: name, had: all.filter((partition) => this.holders.get(partition) === name), round: 0 }));
    return assignSticky(all, members);
  }

  private expireLater(): void {
    this.broker.loop.after(this.process, EXPIRY_MS, () => {
      this.expireLater();
      if (this.broker.isAway) return;
      const before = this.broker.loop.now - this.sessionTimeoutMs;
      for (const { name, seenAt } of [...this.members.values()]) if (seenAt < before) this.remove(name);
    });
  }

  private remove(name: string): void {
    this.members.delete(name);
    for (const [partition, holder] of this.holders) if (holder === name) this.holders.delete(partition);
  }
}
