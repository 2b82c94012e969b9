/** Sessions by the SDK, of every temper. Each stays until the final event, whatever happens on the way. */
import { setTimeout as elapse } from 'node:timers/promises';
import { rivulet } from '@rivulet/client';
import { SessionRecord } from '../support/session-record';
import type { Ledger, SessionEntry, StreamLedger } from './ledger';
import type { Random } from './random';

export const SESSION_KINDS = ['sse', 'ws', 'late', 'slow', 'dropping', 'resuming'] as const;
export type SessionKind = (typeof SESSION_KINDS)[number];

const PAUSE_MS_MIN = 50;
const LATE_MS_MAX = 15_000;
const SLOW_MS = 40;
/** Of a session whose connection died without a word; above the 15 s between two comments of the service. */
const SILENCE_MS_MAX = 20_000;

export interface SessionsOptions {
  ledger: Ledger;
  apiKey: string;
  /** Where sessions connect, and where those do whose connections are cut again and again. */
  url: string;
  droppingUrl: string;
  /** The end of all patience. */
  signal: AbortSignal;
}

export class Sessions {
  private readonly following: Promise<void>[] = [];

  constructor(private readonly options: SessionsOptions) {}

  /** Starts sessions of a stream. */
  watch(stream: StreamLedger, kinds: readonly SessionKind[], random: Random): void {
    kinds.forEach((kind, index) => {
      const record = new SessionRecord(`session ${index + 1} (${kind})`, stream.streamNo);
      const entry: SessionEntry = { record, kind, startedAt: performance.now(), endedAt: Infinity, pauses: [] };
      this.options.ledger.sessions.push(entry);
      this.following.push(this.follow(stream, entry, random.derive(`${kind} ${index}`)));
    });
  }

  /** Resolves when every session has the final event, or patience has ended. */
  async finished(): Promise<void> {
    await Promise.all(this.following);
  }

  private async follow(stream: StreamLedger, entry: SessionEntry, random: Random): Promise<void> {
    const { signal } = this.options;
    try {
      if (entry.kind === 'late') await elapse(random.integer(500, LATE_MS_MAX), undefined, { signal });
      for (let from: string | undefined; !entry.record.isFinal; await elapse(random.integer(20, 1500), undefined, { signal })) {
        from = await this.sit(stream, entry, random, from);
      }
    } catch (error) {
      if (!signal.aborted) entry.record.breach(`ended with ${String((error as { code?: unknown }).code ?? '')} ${String(error)}`);
    } finally {
      entry.endedAt = performance.now();
    }
  }

  /** @returns the cursor where a session that comes back goes on */
  private async sit(stream: StreamLedger, entry: SessionEntry, random: Random, from: string | undefined): Promise<string | undefined> {
    const { kind, record } = entry;
    const { apiKey: token, url, droppingUrl, signal, ledger } = this.options;
    const transport = kind === 'ws' || (kind !== 'sse' && random.chance(0.5)) ? 'ws' : 'sse';
    const client = rivulet({ url: kind === 'dropping' ? droppingUrl : url, token });
    const leaveAfter = kind === 'resuming' ? random.integer(5, 80) : Infinity;
    let cursor = from;
    let count = 0;
    for await (const event of client.watch(stream.streamNo, { transport, signal, from, silenceMsMax: SILENCE_MS_MAX })) {
      const before = { epoch: epochOf(cursor), last: record.last, fragments: record.fragments };
      record.add(event);
      if ('cursor' in event) cursor = event.cursor;
      if (event.type !== 'fragment') continue;
      ledger.delivered += record.fragments - before.fragments;
      if (kind === 'sse' || kind === 'ws') notePause(stream, entry, before);
      if (kind === 'slow') await elapse(SLOW_MS, undefined, { signal });
      if (++count >= leaveAfter) break;
    }
    return cursor;
  }
}

const epochOf = (cursor: string | undefined): number => Number(cursor?.split('.')[0] ?? 1);

/** How long what came now had been acknowledged before: a session at the head sees next to nothing of it. */
function notePause(stream: StreamLedger, entry: SessionEntry, before: { epoch: number; last: number }): void {
  const now = performance.now();
  const from = Math.max(entry.startedAt, stream.acknowledgedAfter(before.epoch, before.last));
  if (now - from >= PAUSE_MS_MIN) entry.pauses.push({ from, to: now });
}
