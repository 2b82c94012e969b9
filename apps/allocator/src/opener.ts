import { StreamError } from '@rivulet/protocol';
import type { OpenFacts, OpenedStream } from '@rivulet/protocol';
import type { Auth, StreamNos } from '@rivulet/service';
import type { BoundOpens } from './bound-opens';
import { deriveParts } from './idempotency';
import type { DerivedParts } from './idempotency';
import type { LifecycleEntries } from './lifecycle-entries';
import type { OpenQuotas } from './open-quotas';
import { OpenOptionsReader } from './open-options';
import type { Placement } from './placement';
import type { RecordWriter } from './record-writer';
import type { AllocatorConfig } from './config';

export interface OpenAsked {
  /** Who opens: scopes the key, and is the API key the stream counts for [APPEND-13]. */
  principal: string;
  /** '' or absent: none. */
  idempotencyKey?: string | undefined;
  /** As they came; read and checked here. */
  options: unknown;
  /** The plugin that answers on it; '' or absent: none. */
  answerOf?: string | undefined;
}

interface OpenerParts {
  config: AllocatorConfig;
  bound: BoundOpens;
  auth: Auth;
  streamNos: StreamNos;
  entries: LifecycleEntries;
  placement: Placement;
  quotas: OpenQuotas;
  writer: RecordWriter;
  now: () => number;
}

/** Keys of other shapes than UUIDv7 opened lately, for the minutes after a full hour while the table may still lag. */
const RECENT_MAX = 10_000;

/** Opens streams: issues the streamNo, writes the `open` record, mints the tokens. */
export class Opener {
  private readonly options: OpenOptionsReader;
  /** streamNos of idempotent opens of this instance, oldest first. */
  private readonly recent = new Set<string>();

  constructor(private readonly parts: OpenerParts) {
    this.options = new OpenOptionsReader(parts.config);
  }

  /** @throws StreamError OPTIONS_INVALID, STREAM_GONE, QUOTA_EXCEEDED, OVERLOADED, LOG_UNAVAILABLE, and those of the hook send */
  async open(asked: OpenAsked): Promise<OpenedStream> {
    const given: OpenFacts = { ...this.options.read(asked.options), openedBy: asked.principal };
    const { streamNo, isKnown } = this.streamNoFor(given, asked);
    const { partition } = this.parts.streamNos.verify(streamNo);
    const facts = isKnown ? given : { ...given, metadata: await this.parts.bound.metadataOf(given, asked.answerOf ?? '') };
    if (!isKnown) await this.write(streamNo, partition, facts);
    if (asked.idempotencyKey) this.remember(streamNo);
    return this.opened(streamNo, facts);
  }

  private async write(streamNo: string, partition: number, facts: OpenFacts): Promise<void> {
    const { entries, quotas, writer } = this.parts;
    const giveBack = quotas.admit(facts.openedBy ?? '', streamNo);
    try {
      await writer.write(streamNo, partition, { kind: 'open', ...facts });
    } catch (error) {
      giveBack();
      throw error;
    }
    entries.load.opened(streamNo, partition);
  }

  private streamNoFor(facts: OpenFacts, { principal, idempotencyKey }: OpenAsked): { streamNo: string; isKnown: boolean } {
    const { streamNos, placement, now } = this.parts;
    if (idempotencyKey === undefined || idempotencyKey === '') {
      return { streamNo: streamNos.issue({ time: now(), partition: placement.place(facts.class, facts.channel) }), isKnown: false };
    }
    // [APPEND-11]
    const { current, previous } = deriveParts(principal, idempotencyKey, now());
    const before = previous && this.derive(facts, previous);
    if (before && this.isKnown(before)) return { streamNo: before, isKnown: true };
    // [NO-1] What was opened under this key may be over and removed: opening again would use its streamNo for another content.
    if (current.isExact && current.time + facts.ttlMs + facts.retentionMs < now()) throw keyIsOver();
    const streamNo = this.derive(facts, current);
    return { streamNo, isKnown: this.parts.entries.entry(streamNo) !== undefined };
  }

  private derive(facts: OpenFacts, { time, random, spread }: DerivedParts): string {
    return this.parts.streamNos.issue({ time, random, partition: this.parts.placement.place(facts.class, facts.channel, spread) });
  }

  private isKnown(streamNo: string): boolean {
    return this.recent.has(streamNo) || this.parts.entries.entry(streamNo) !== undefined;
  }

  private remember(streamNo: string): void {
    this.recent.delete(streamNo);
    if (this.recent.size >= RECENT_MAX) this.recent.delete(this.recent.values().next().value as string);
    this.recent.add(streamNo);
  }

  private async opened(streamNo: string, given: OpenFacts): Promise<OpenedStream> {
    const { auth, config, entries, now } = this.parts;
    const known = await entries.stream(streamNo);
    if (known?.status === 'deleted') throw keyIsOver();
    // Of a repeated open the first one counts, also where the options differ.
    const open = known?.open ?? given;
    const openedAt = known?.openedAt ?? now();
    const [writeToken, readToken] = await Promise.all([
      auth.mintWrite({ streamNo, open, openedAt, epoch: 1 }), auth.mintRead({ streamNo, open, openedAt }),
    ]);
    return { streamNo, epoch: 1, writeToken, readToken, links: linksOf(config.publicUrl, streamNo) };
  }
}

const keyIsOver = (): StreamError => new StreamError('STREAM_GONE', { detail: 'The stream of this Idempotency-Key is over. Use a new key for a new stream.' });

function linksOf(publicUrl: string, streamNo: string): OpenedStream['links'] {
  const produce = `${publicUrl}/v1/streams/${streamNo}`;
  const watch = `${publicUrl}/v1/watch/${streamNo}`;
  return { append: `${produce}/fragments`, end: `${produce}/end`, events: `${watch}/events`, content: `${watch}/content`, state: watch };
}
