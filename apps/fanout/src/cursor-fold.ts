import { compareCursors, decodeAttached, decodeConfirmed, isNoLaterConnection, parseSessionKey } from '@rivulet/protocol';
import type { Cursor, SessionKey } from '@rivulet/protocol';
import type { StoredRecord } from '@rivulet/log';

/** What the log says of one named session of one stream. */
export interface SessionEntry {
  readonly streamNo: string;
  readonly session: string;
  confirmed: Cursor | null;
  /** Broker time of the first record that confirmed it, ms. */
  confirmedAt: number;
  /** The last confirmation in the log is not the furthest one: compaction would keep the wrong one until it is written again. */
  isShadowed: boolean;
  /** Whose the name is now; '' for nobody's yet. */
  connection: string;
  /** Whose it was before. */
  previous: string;
  /** Broker time of the newest record, ms. */
  changedAt: number;
}

/**
 * Folds one partition of the topic `cursors` [WATCH-6] [WATCH-7]. Pure: any two instances that fold the same records know the same.
 * Confirmed is the furthest cursor ever written, never the last one: instances write at once, and none knows what the others have on the
 * way. The name belongs to the connection whose first attach is the newest. Compaction keeps the last value per key, so what it would
 * lose is marked `isShadowed`; the owner of the partition writes that again.
 */
export class CursorFold {
  /** streamNo → session name → entry. */
  readonly streams = new Map<string, Map<string, SessionEntry>>();
  readonly shadowed = new Set<SessionEntry>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  find(streamNo: string, session: string): SessionEntry | undefined {
    return this.streams.get(streamNo)?.get(session);
  }

  /** @returns the entry it changed; null when it changed none. @throws Error for a record that is none of ours or cannot be read */
  fold(record: StoredRecord): SessionEntry | null {
    const key = parseSessionKey(record.key);
    if (key === null) throw new Error('Not the key of a named session.');
    if (record.value === null) return this.remove(key);
    return key.kind === 'attached' ? this.attach(key, record, record.value) : this.confirm(key, record, record.value);
  }

  clear(): void {
    this.streams.clear();
    this.shadowed.clear();
    this.count = 0;
  }

  private attach(key: SessionKey, { timestamp }: StoredRecord, value: Buffer): SessionEntry | null {
    const { connection } = decodeAttached(value);
    const entry = this.entryOf(key);
    entry.changedAt = timestamp;
    // It may land late: once more, as a resend, or when its reader has given the connection up and come back with the next one.
    if (isNoLaterConnection(connection, entry.connection) || isNoLaterConnection(connection, entry.previous)) return null;
    entry.previous = entry.connection;
    entry.connection = connection;
    return entry;
  }

  private confirm(key: SessionKey, { timestamp }: StoredRecord, value: Buffer): SessionEntry | null {
    const { cursor, at = timestamp } = decodeConfirmed(value);
    const entry = this.entryOf(key);
    entry.changedAt = timestamp;
    const order = entry.confirmed === null ? 1 : compareCursors(cursor, entry.confirmed);
    const isFirst = order > 0 || (order === 0 && at <= entry.confirmedAt);
    this.shadow(entry, !isFirst);
    if (!isFirst) return null;
    entry.confirmed = cursor;
    entry.confirmedAt = at;
    return order > 0 ? entry : null;
  }

  /** A tombstone: the stream is gone. */
  private remove({ kind, streamNo, session }: SessionKey): SessionEntry | null {
    const entry = this.find(streamNo, session);
    if (entry === undefined) return null;
    if (kind === 'attached') entry.connection = entry.previous = '';
    else {
      entry.confirmed = null;
      this.shadow(entry, false);
    }
    if (entry.connection === '' && entry.confirmed === null) this.drop(entry);
    return entry;
  }

  private drop({ streamNo, session }: SessionEntry): void {
    const sessions = this.streams.get(streamNo)!;
    sessions.delete(session);
    this.count -= 1;
    if (sessions.size === 0) this.streams.delete(streamNo);
  }

  private shadow(entry: SessionEntry, isShadowed: boolean): void {
    entry.isShadowed = isShadowed;
    if (isShadowed) this.shadowed.add(entry);
    else this.shadowed.delete(entry);
  }

  private entryOf({ streamNo, session }: SessionKey): SessionEntry {
    let sessions = this.streams.get(streamNo);
    if (sessions === undefined) this.streams.set(streamNo, (sessions = new Map()));
    let entry = sessions.get(session);
    if (entry === undefined) {
      entry = { streamNo, session, confirmed: null, confirmedAt: 0, isShadowed: false, connection: '', previous: '', changedAt: 0 };
      sessions.set(session, entry);
      this.count += 1;
    }
    return entry;
  }
}
