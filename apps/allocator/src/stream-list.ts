import { StreamError } from '@rivulet/protocol';
import type { AdminStream, AdminStreamPage, PublicStatus, StreamClass, StreamSummary } from '@rivulet/protocol';
import type { StreamNos } from '@rivulet/service';
import type { KnownStream, LifecycleEntries } from './lifecycle-entries';

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 500;
/** Looked at for one page: a filter that matches little must not hold up the process. A page may thus be short; its `next` goes on. */
const LOOKED_AT_MAX = 20_000;
const STATUSES: readonly PublicStatus[] = ['open', 'lost', 'ended', 'failed', 'cancelled', 'expired', 'deleted'];
const CLASSES: readonly StreamClass[] = ['interactive', 'bulk'];

/** The query of GET /v1/admin/streams, as it came. */
export type ListQuery = Readonly<Record<string, unknown>>;

interface Filter {
  statuses: ReadonlySet<PublicStatus> | null;
  channel: string | null;
  class: StreamClass | null;
  limit: number;
  below: string | null;
}

/** What operators see of streams. A projection of the lifecycle topic, nothing more. */
export class StreamList {
  constructor(private readonly entries: LifecycleEntries, private readonly streamNos: StreamNos) {}

  /** Newest first: open streams and the newest final ones. @throws StreamError OPTIONS_INVALID, CURSOR_INVALID */
  page(query: ListQuery): AdminStreamPage {
    const filter = readFilter(query);
    const order = this.entries.newestFirst();
    const streams: StreamSummary[] = [];
    let index = filter.below === null ? 0 : firstBelow(order, filter.below);
    const end = Math.min(order.length, index + LOOKED_AT_MAX);
    for (; index < end && streams.length < filter.limit; index += 1) {
      const stream = this.entries.whole(order[index] as string);
      if (stream && isWanted(stream, filter)) streams.push(summaryOf(stream));
    }
    const last = order[index - 1];
    return { streams, next: index < order.length && last !== undefined ? encodePlace(last) : null };
  }

  /** Also of streams that the list no longer has. @throws StreamError STREAM_NO_NOT_ISSUED, STREAM_NOT_FOUND, LOG_UNAVAILABLE */
  async one(streamNo: string): Promise<AdminStream> {
    const { partition } = this.streamNos.verify(streamNo);
    const stream = await this.entries.stream(streamNo);
    const entry = this.entries.entry(streamNo);
    if (!stream || !entry) throw new StreamError('STREAM_NOT_FOUND', { streamNo });
    const [claim, foldedOffset] = stream.version;
    return {
      ...summaryOf(stream), openedBy: stream.open.openedBy ?? '', partition, openedOffset: stream.openedOffset, foldedOffset, claim, lifecycleOffset: entry.offset,
      checkpointOffset: stream.checkpointOffset, positions: stream.positionsCount, verdicts: stream.verdicts,
      leaseMs: stream.open.leaseMs, ttlMs: stream.open.ttlMs, retentionMs: stream.open.retentionMs, limits: stream.open.limits,
    };
  }
}

function summaryOf(stream: KnownStream): StreamSummary {
  const { streamNo, status, open, epoch, sequence, bytes, checksum, openedAt, updatedAt, attempts, final } = stream;
  return {
    streamNo, status, channel: open.channel, contentType: open.contentType, merge: open.merge, class: open.class,
    epoch, sequence, bytes, checksum, openedAt, updatedAt, attempts, final, metadata: open.metadata,
  };
}

function isWanted(stream: KnownStream, filter: Filter): boolean {
  return (filter.statuses === null || filter.statuses.has(stream.status))
    && (filter.channel === null || filter.channel === stream.open.channel)
    && (filter.class === null || filter.class === stream.open.class);
}

/** The order is descending. @returns index of the first streamNo below the one given */
function firstBelow(order: readonly string[], below: string): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((order[middle] as string) >= below) low = middle + 1;
    else high = middle;
  }
  return low;
}

// A place in the order, not a snapshot: streams opened meanwhile do not shift the pages that follow.
const encodePlace = (streamNo: string): string => Buffer.from(streamNo).toString('base64url');

function decodePlace(cursor: string): string {
  const streamNo = Buffer.from(cursor, 'base64url').toString();
  if (!/^[0-9a-z]{32}$/.test(streamNo)) throw new StreamError('CURSOR_INVALID', { detail: 'Use `next` of the page before.' });
  return streamNo;
}

const invalid = (option: string, rule: string): StreamError => new StreamError('OPTIONS_INVALID', { option, detail: `${option} must be ${rule}.` });

function readFilter(query: ListQuery): Filter {
  const { status, channel, class: streamClass, limit, cursor, token: _token, ...rest } = query;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw new StreamError('OPTIONS_INVALID', { option: unknown, detail: `${unknown} is not a filter; there are status, channel, class, limit, cursor.` });
  return {
    statuses: status === undefined ? null : new Set(readStatuses(status)),
    channel: channel === undefined ? null : oneText('channel', channel),
    class: streamClass === undefined ? null : readClass(streamClass),
    limit: limit === undefined ? LIMIT_DEFAULT : readLimit(limit),
    below: cursor === undefined ? null : decodePlace(oneText('cursor', cursor)),
  };
}

function oneText(option: string, value: unknown): string {
  if (typeof value !== 'string') throw invalid(option, 'given once');
  return value;
}

function readStatuses(value: unknown): PublicStatus[] {
  return oneText('status', value).split(',').map((text) => {
    const status = STATUSES.find((one) => one === text);
    if (!status) throw invalid('status', `one or more of ${STATUSES.join(', ')}, comma-separated`);
    return status;
  });
}

function readClass(value: unknown): StreamClass {
  const known = CLASSES.find((one) => one === value);
  if (!known) throw invalid('class', `one of ${CLASSES.join(', ')}`);
  return known;
}

function readLimit(value: unknown): number {
  const limit = Number(value);
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) throw invalid('limit', `a whole number from 1 to ${LIMIT_MAX}`);
  return limit;
}
