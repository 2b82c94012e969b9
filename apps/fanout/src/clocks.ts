import type { LogRecord } from '@rivulet/protocol';
import type { Appender, Log } from '@rivulet/log';
import { PROPOSAL_BYTES } from './control-appender';
import type { Proposal } from './control-appender';
import type { OwnerLogger } from './dead-letters';
import type { Horizon } from './horizon';
import type { OpenStream } from './open-stream';
import type { StreamTable } from './stream-table';
import type { Time } from './time';

export interface ClockOptions {
  log: Log;
  topic: string;
  partition: number;
  table: StreamTable;
  horizon: Horizon;
  appender: Appender<Proposal>;
  time: Time;
  logger: OwnerLogger;
  /** While streams are open and nothing arrives, the log is asked this often whether we have seen all of it, ms. */
  proofMs: number;
  /** How often ended streams are looked through for those whose retention is over, ms. */
  sweepMs: number;
}

/** Proposals of one tick: what a long standstill leaves behind is worked off over several. */
const PROPOSALS_MAX = 500;
/** A proposal that was judged in vain (the broker's clock is behind ours) is made again after this, ms. */
const AGAIN_MS = 5_000;

interface Proposed { kind: LogRecord['kind']; key: number; at: number }

/**
 * Lease, gap, ttl and retention of the streams of a partition. A clock decides nothing here: it writes a record that says what it observed,
 * and the judge applies it only if that still holds when the record comes round [JUDGE-3].
 *
 * One pass over the live streams per tick instead of a timer per stream; lease and gap are measured along the horizon [OWN-6].
 */
export class Clocks {
  private readonly proposed = new Map<string, Proposed>();
  /** Streams that miss a fragment: since which judged time, and the horizon when we saw it. */
  private readonly gaps = new Map<OpenStream, { since: number; at: number }>();
  private isProving = false;
  private sweptAt = -Infinity;
  /** A lease has run out by the clock, but not yet by what we can know. */
  private isProofWanted = false;
  private room = 0;

  constructor(private readonly options: ClockOptions) {}

  tick(): void {
    const { table, horizon, time, proofMs, sweepMs } = this.options;
    const now = time.now();
    const wall = time.wall();
    this.room = PROPOSALS_MAX;
    this.isProofWanted = false;
    if (table.openCount > 0 && now - horizon.at >= proofMs) this.prove(now);
    for (const stream of table.live.values()) {
      if (stream.isFinal) this.checkFinal(stream, now, wall);
      else this.checkOpen(stream, now, wall);
    }
    if (this.isProofWanted) this.prove(now);
    if (now - this.sweptAt < sweepMs) return;
    this.sweptAt = now;
    this.sweep(now, wall);
  }

  /** Asks for the end of the log: if the fold is there, nothing written before this moment is unknown to us. */
  private prove(now: number): void {
    if (this.isProving) return;
    this.isProving = true;
    const { log, topic, partition, horizon, logger } = this.options;
    log.bounds(topic, partition).then(
      ({ end }) => horizon.observe(end, now),
      (error: unknown) => logger.warn({ partition, err: error }, 'the log does not answer: lease clocks stand still'),
    ).finally(() => (this.isProving = false));
  }

  private checkOpen(stream: OpenStream, now: number, wall: number): void {
    const { horizon } = this.options;
    const { state } = stream;
    if (state.activityOffset !== stream.seenActivityOffset) {
      stream.seenActivityOffset = state.activityOffset;
      stream.activityAt = horizon.at;
    } else if (!state.isLost && now - Math.max(stream.activityAt, horizon.restartedAt) > state.open.leaseMs) {
      const { epoch, activityOffset } = state;
      if (horizon.elapsedMs(stream.activityAt) <= state.open.leaseMs) this.isProofWanted = true;
      else this.propose(stream.streamNo, { kind: 'lapse', epoch, activityOffset }, activityOffset, now);
    }
    if (state.gapSince !== null || this.gaps.size > 0) this.checkGap(stream, now);
    if (wall >= state.openedAt + state.open.ttlMs) this.propose(stream.streamNo, { kind: 'expire' }, 0, now);
  }

  private checkGap(stream: OpenStream, now: number): void {
    const { gapSince, epoch, next, open } = stream.state;
    if (gapSince === null) {
      this.gaps.delete(stream);
      return;
    }
    const known = this.gaps.get(stream);
    if (known === undefined || known.since !== gapSince) this.gaps.set(stream, { since: gapSince, at: this.options.horizon.at });
    else if (this.options.horizon.elapsedMs(known.at) > open.limits.gapMsMax) this.propose(stream.streamNo, { kind: 'gap', epoch, next }, next, now);
  }

  private checkFinal(stream: OpenStream, now: number, wall: number): void {
    const { final, isDeleted, open } = stream.state;
    if (this.gaps.size > 0) this.gaps.delete(stream);
    if (final !== null && !isDeleted && wall >= final.at + open.retentionMs) this.propose(stream.streamNo, { kind: 'delete' }, 0, now);
    this.options.table.dismiss(stream);
  }

  private sweep(now: number, wall: number): void {
    for (const [streamNo, finished] of this.options.table.finished) {
      if (finished.isDeleted || wall < finished.deleteAt) continue;
      this.propose(streamNo, { kind: 'delete' }, 0, now);
    }
    for (const stream of this.gaps.keys()) {
      if (this.options.table.live.get(stream.streamNo) !== stream) this.gaps.delete(stream);
    }
    for (const [streamNo, proposed] of this.proposed) {
      if (now - proposed.at >= AGAIN_MS) this.proposed.delete(streamNo);
    }
  }

  /** @param key what was observed: the same observation is not proposed twice while the first may still come round */
  private propose(streamNo: string, record: LogRecord, key: number, now: number): void {
    if (this.room <= 0) return;
    const last = this.proposed.get(streamNo);
    if (last !== undefined && last.kind === record.kind && last.key === key && now - last.at < AGAIN_MS) return;
    this.room -= 1;
    this.proposed.set(streamNo, { kind: record.kind, key, at: now });
    const { appender, partition, logger } = this.options;
    appender.append(partition, { streamNo, record }, PROPOSAL_BYTES).catch((error: unknown) => {
      logger.warn({ partition, streamNo, proposal: record.kind, err: error }, 'what a clock proposed was not written; it will be proposed again');
    });
  }
}
