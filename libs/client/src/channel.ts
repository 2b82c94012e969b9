import type { FragmentEvent, Merge, Problem, ReaderEvent, RewindEvent } from '@rivulet/protocol';
import { Backoff, isTransient, pause, retryAfterOf } from './backoff';
import { Renewal } from './http';
import type { Endpoint, Token } from './http';
import { platform } from './platform-node';
import { sseEvents } from './sse-source';

export interface ChannelOptions {
  signal?: AbortSignal;
  readToken?: string;
  /** Of the streams that have ended only so many, the newest, besides the open ones. Default: all that are kept. */
  ended?: number;
  silenceMsMax?: number;
}

/** A stream of the channel that cannot be read; the others go on. */
export interface ChannelProblem extends Omit<Problem, 'type'> {
  type: 'problem';
  streamNo: string;
}
export type ChannelEvent = ReaderEvent | ChannelProblem;

/**
 * The events of all streams of a channel on one connection, which a reconnect continues [WATCH-12]. Where the service cannot, every stream
 * starts at its beginning again: what was delivered is left out here, by sequence, and an event that straddles the line is trimmed.
 */
export async function* watchChannel(
  endpoint: Endpoint & { token: Token }, channel: string, options: ChannelOptions,
): AsyncGenerator<ChannelEvent, void, undefined> {
  const { signal, readToken, ended, silenceMsMax = 45_000 } = options;
  const path = `/v1/watch/channels/${encodeURIComponent(channel)}/events${ended === undefined ? '' : `?ended=${ended}`}`;
  const token = readToken ?? endpoint.token;
  const source = { path, token, signal, silenceMsMax };
  const renewal = new Renewal(token);
  const streams = new Map<string, Progress>();
  const backoff = new Backoff();
  let cursor: string | undefined;
  for (;;) {
    let waitMs = 0;
    let firstEventAt: number | null = null;
    if (cursor === undefined) for (const progress of streams.values()) progress.restart();
    try {
      for await (const { type, id, body } of sseEvents(endpoint, { ...source, cursor }, () => undefined)) {
        firstEventAt ??= performance.now();
        renewal.worked();
        if (type === 'reset') {
          cursor = undefined;
          break;
        }
        const event = { ...body, type } as ChannelEvent;
        if (event.type === 'problem') yield event;
        else yield* progressOf(streams, event.streamNo).take(event);
        cursor = id;
      }
    } catch (error) {
      if (signal?.aborted || !(isTransient(error) || renewal.helps(error))) throw error;
      if (isTransient(error)) waitMs = retryAfterOf(error);
    }
    if (firstEventAt !== null) backoff.disconnected(performance.now() - firstEventAt);
    await pause(backoff.next(waitMs), signal);
  }
}

function progressOf(streams: Map<string, Progress>, streamNo: string): Progress {
  let progress = streams.get(streamNo);
  if (progress === undefined) streams.set(streamNo, (progress = new Progress()));
  return progress;
}

/** What of one stream was delivered, and how far the current connection has come. */
export class Progress {
  private epoch = 0;
  private last = 0;
  /** Characters, bytes or items delivered up to `last`. */
  private length = 0;
  /** The same on this connection, which starts at the beginning. */
  private connectionLength = 0;
  private isReplay = false;
  private isFinal = false;
  private merge: Merge | null = null;

  restart(): void {
    this.connectionLength = 0;
    this.isReplay = true;
  }

  take(event: ReaderEvent): ReaderEvent[] {
    if (this.isFinal) return [];
    if (event.type === 'stream') {
      this.merge = event.merge;
      return this.begin(event.streamNo, event.epoch, event);
    }
    if (event.type === 'rewind') return this.rewind(event);
    if (event.type === 'fragment') return this.fragment(event);
    if (event.type === 'final') this.isFinal = true;
    return [event];
  }

  /** A rewind that came while disconnected shows only as a newer epoch. Telling it where there was none costs a repeat, never a hole. */
  private begin(streamNo: string, epoch: number, event: ReaderEvent): ReaderEvent[] {
    const isMissed = this.isReplay && this.last > 0 && epoch > this.epoch;
    this.epoch = epoch;
    return isMissed ? [...this.rewind({ type: 'rewind', streamNo, epoch, cursor: `${epoch}.0` }), event] : [event];
  }

  private rewind(event: RewindEvent): ReaderEvent[] {
    this.epoch = event.epoch;
    this.last = this.length = this.connectionLength = 0;
    return [event];
  }

  private fragment(event: FragmentEvent): ReaderEvent[] {
    const startsAt = this.connectionLength;
    const length = lengthOf(event);
    this.connectionLength += length;
    if (event.to <= this.last) return [];
    const straddles = event.from <= this.last;
    // [WATCH-3] What `latest` leaves out is missing from the count, and what it brings is always the newest: nothing of it was seen.
    const seen = straddles && this.merge !== 'latest' ? this.length - startsAt : 0;
    const rest = seen > 0 ? trim(event, seen) : {};
    const fresh = straddles ? { ...event, ...rest, from: this.last + 1 } : event;
    this.last = event.to;
    this.length = startsAt + length;
    return [fresh];
  }
}

function lengthOf(event: FragmentEvent): number {
  if (event.base64 !== undefined) return platform.fromBase64(event.base64).length;
  return (event.text ?? event.items ?? '').length;
}

function trim(event: FragmentEvent, seen: number): Partial<FragmentEvent> {
  if (event.text !== undefined) return { text: event.text.slice(seen) };
  if (event.items !== undefined) return { items: event.items.slice(seen) };
  return { base64: platform.toBase64(platform.fromBase64(event.base64 ?? '').subarray(seen)) };
}
