import { parseStreamNo } from '@rivulet/protocol';
import type { SessionEntry } from './cursor-fold';
import type { CursorTable } from './cursor-table';
import type { OwnerLogger } from './dead-letters';
import type { Owners } from './owners';
import type { SessionCursors } from './session-cursors';
import type { Time, Timer } from './time';

/** How often all of this is looked at, ms: far below the ten minutes for which compaction leaves records alone. */
const TICK_MS = 1_000;
/** Streams of a partition looked at per tick. */
const STREAMS_PER_TICK = 500;
/** Records written at once for one partition; the rest follows at the next tick. */
const WRITES_MAX = 500;
/** A stream its owner does not know may be newer than its fold, but not when nothing was heard of its sessions for so long, ms. */
const UNKNOWN_MS = 3_600_000;

interface Kept { table: CursorTable; streams: IterableIterator<string>; isBusy: boolean }

/**
 * What the owner of a partition does for its named sessions, once for all instances: writes again what a lower confirmation would shadow
 * after compaction [WATCH-7], and removes the entries of streams that are gone. Two owners at once do the same thing twice, which is
 * harmless, so nothing here is fenced.
 */
export class CursorKeeper {
  private readonly kept = new Map<number, Kept>();
  private timer: Timer | null = null;
  private isStopped = false;

  constructor(
    private readonly cursors: SessionCursors,
    private readonly owners: Pick<Owners, 'servedPartitions' | 'find'>,
    private readonly time: Time,
    private readonly logger: OwnerLogger,
  ) {}

  start(): void {
    this.timer = this.time.after(TICK_MS, () => {
      if (this.isStopped) return;
      this.tick();
      this.start();
    });
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
  }

  tick(): void {
    const served = new Set(this.owners.servedPartitions());
    for (const [partition, { table }] of this.kept) {
      if (served.has(partition)) continue;
      this.kept.delete(partition);
      this.cursors.release(table);
    }
    for (const partition of served) {
      const kept = this.kept.get(partition) ?? this.keep(partition);
      if (!kept.isBusy && kept.table.isAtEnd) void this.tend(partition, kept);
    }
    this.cursors.dropIdle();
  }

  private keep(partition: number): Kept {
    const table = this.cursors.hold(partition);
    const kept = { table, streams: table.fold.streams.keys(), isBusy: false };
    this.kept.set(partition, kept);
    return kept;
  }

  private async tend(partition: number, kept: Kept): Promise<void> {
    kept.isBusy = true;
    try {
      const rewrites = [...kept.table.fold.shadowed].slice(0, WRITES_MAX).map(({ streamNo, session, confirmed, confirmedAt }) =>
        this.cursors.writeConfirmed(partition, streamNo, session, { cursor: confirmed!, at: confirmedAt }));
      const burials = this.gone(partition, kept).map(({ streamNo, session }) => this.cursors.bury(partition, streamNo, session));
      const offsets = await Promise.all(rewrites);
      await Promise.all(burials);
      // Not again for what was just written.
      await kept.table.reached(Math.max(0, ...offsets));
    } catch (error) {
      this.logger.warn({ partition, err: error }, 'cursors of named sessions were not tidied; trying again');
    } finally {
      kept.isBusy = false;
    }
  }

  /** @returns sessions of streams that are gone, among the next ones of the round */
  private gone(partition: number, kept: Kept): SessionEntry[] {
    const found: SessionEntry[] = [];
    const { fold } = kept.table;
    for (let looked = 0; looked < STREAMS_PER_TICK && found.length < WRITES_MAX; looked += 1) {
      const { value: streamNo, done } = kept.streams.next();
      if (done) {
        kept.streams = fold.streams.keys();
        break;
      }
      const sessions = [...fold.streams.get(streamNo)?.values() ?? []];
      if (this.isGone(partition, streamNo, sessions)) found.push(...sessions);
    }
    return found;
  }

  private isGone(partition: number, streamNo: string, sessions: SessionEntry[]): boolean {
    const replica = this.owners.find(partition)?.replica;
    if (replica === undefined || !replica.isServing) return false;
    // Only what somebody wrote past us: no stream of this partition has that number.
    if (parseStreamNo(streamNo)?.partition !== partition) return true;
    const { live, finished } = replica.table;
    if (live.has(streamNo)) return live.get(streamNo)!.state.isDeleted;
    const known = finished.get(streamNo);
    if (known !== undefined) return known.isDeleted;
    return replica.lag === 0 && sessions.every(({ changedAt }) => this.time.wall() - changedAt > UNKNOWN_MS);
  }
}
