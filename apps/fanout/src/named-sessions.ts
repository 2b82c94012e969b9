import { randomUUID } from 'node:crypto';
import { compareCursors, cursorText, StreamError } from '@rivulet/protocol';
import type { ConfirmedCursor, ConfirmedReply, Cursor } from '@rivulet/protocol';
import { ConfirmationWriter } from './confirmation-writer';
import type { CursorTable } from './cursor-table';
import type { DeliveryMetrics } from './delivery-metrics';
import { NamedSession } from './named-session';
import type { SessionCursors } from './session-cursors';
import type { StreamEntry } from './stream-source';
import type { Time } from './time';

export interface NamedSessionLimits {
  /** Names of one stream, and so the longest list of who confirmed what. */
  streamSessionsMax: number;
  /** Named sessions of the streams of one partition: what a table of them may cost. */
  partitionSessionsMax: number;
  /** Without progress for so long a session is probed; for as long again, and it gets its unconfirmed part anew, ms. */
  confirmMs: number;
}

export interface NamedSessionsOptions {
  cursors: SessionCursors;
  metrics: Pick<DeliveryMetrics, 'confirmed' | 'probed' | 'resent' | 'taken'>;
  time: Time;
  limits: NamedSessionLimits;
}

/** What a reader asks for who wants to confirm. */
export interface NamedRequest { session: string; window?: number; connection?: string }

const LIMIT_RETRY_MS = 5_000;
/** A list that the log does not give within this is left out of an answer that can do without it, ms. */
const LIST_MS_MAX = 2_000;

/**
 * Sessions with a name, which outlives their connections [WATCH-6]. There is no link between instances: all of it is decided by the
 * topic `cursors`, which every instance may write and each folds for the partitions it has such sessions of.
 */
export class NamedSessions {
  private readonly writer: ConfirmationWriter;

  constructor(private readonly options: NamedSessionsOptions) {
    this.writer = new ConfirmationWriter(options.cursors, options.metrics);
  }

  /**
   * Takes the name for a connection: the record that says so ends the older one, wherever it is.
   * @returns the session, which knows all that was confirmed before; to be started or stopped
   * @throws StreamError OVERLOADED (too many names), LOG_UNAVAILABLE, SESSION_TAKEN (a newer one came meanwhile)
   */
  async attach({ streamNo, partition }: StreamEntry, { session, window, connection = `${randomUUID()}.1` }: NamedRequest): Promise<NamedSession> {
    const { cursors, metrics, time, limits: { confirmMs } } = this.options;
    const table = cursors.hold(partition);
    try {
      if (!table.isAtEnd) await table.caughtUp();
      this.assertRoom(table, streamNo, session);
      await table.reached(await cursors.writeAttached(partition, streamNo, session, connection));
      const release = (): void => cursors.release(table);
      const named = new NamedSession({ table, streamNo, session, connection, window, confirmMs, time, metrics, release });
      if (named.isTaken) throw named.takenError();
      return named;
    } catch (error) {
      cursors.release(table);
      throw error;
    }
  }

  /**
   * Cumulative. @param cursor known to the stream
   * @returns what is confirmed then, once that is durable
   * @throws StreamError OVERLOADED, LOG_UNAVAILABLE
   */
  async confirm({ streamNo, partition }: StreamEntry, session: string, cursor: Cursor): Promise<ConfirmedReply> {
    const { cursors } = this.options;
    const table = cursors.hold(partition);
    try {
      // Not to its end: what the fold has not seen yet can only be further, and the maximum counts.
      if (!table.isAtEnd) await table.caughtUp();
      const known = table.fold.find(streamNo, session)?.confirmed ?? null;
      if (known !== null && compareCursors(known, cursor) >= 0) return { streamNo, session, cursor: cursorText(known) };
      this.assertRoom(table, streamNo, session);
      await this.writer.write(partition, streamNo, session, cursor);
      const folded = table.fold.find(streamNo, session)?.confirmed ?? cursor;
      return { streamNo, session, cursor: cursorText(compareCursors(folded, cursor) > 0 ? folded : cursor) };
    } finally {
      cursors.release(table);
    }
  }

  /** [WATCH-7] @returns who confirmed what, by name; null when the log does not say so in time */
  async confirmed(streamNo: string, partition: number): Promise<ConfirmedCursor[] | null> {
    const { cursors, time } = this.options;
    const table = cursors.hold(partition);
    const isKnown = await new Promise<boolean>((resolve) => {
      const timer = time.after(LIST_MS_MAX, () => resolve(false));
      table.caughtUp().then(() => resolve(true), () => resolve(false)).finally(() => timer.cancel());
    });
    cursors.release(table);
    return isKnown ? listOf(table, streamNo) : null;
  }

  private assertRoom({ fold }: CursorTable, streamNo: string, session: string): void {
    const { streamSessionsMax, partitionSessionsMax } = this.options.limits;
    if (fold.find(streamNo, session) !== undefined) return;
    const refuse = (detail: string): StreamError => new StreamError('OVERLOADED', { detail, streamNo, retryAfterMs: LIMIT_RETRY_MS });
    if ((fold.streams.get(streamNo)?.size ?? 0) >= streamSessionsMax) {
      throw refuse(`A stream has at most ${streamSessionsMax} named sessions. Use the names again, or watch without one.`);
    }
    if (fold.size >= partitionSessionsMax) {
      throw refuse(`The streams of a partition have at most ${partitionSessionsMax} named sessions. They go with their streams.`);
    }
  }
}

function listOf(table: CursorTable, streamNo: string): ConfirmedCursor[] {
  const list: ConfirmedCursor[] = [];
  for (const { session, confirmed, confirmedAt } of table.fold.streams.get(streamNo)?.values() ?? []) {
    if (confirmed !== null) list.push({ session, cursor: cursorText(confirmed), confirmedAt, isFinal: confirmed.isFinal });
  }
  return list.sort((a, b) => (a.session < b.session ? -1 : 1));
}
