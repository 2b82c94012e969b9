import { Audience } from './audience';
import type { ChannelEvent } from './channel';
import { problemToError } from './http';
import { asError, StreamPicture } from './stream-picture';
import type { StreamSnapshot } from './stream-picture';

/** A stream of a channel at one moment. The object is the same until something of the stream changes. */
export interface ChannelStreamSnapshot extends StreamSnapshot {
  readonly streamNo: string;
  /** As its producer gave them at the open. */
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}
export interface ChannelSnapshot {
  /** In the order in which the channel told of them, which is that of their opening (of each class). */
  readonly streams: readonly ChannelStreamSnapshot[];
  /** Why watching the channel ended: no right to it, as a rule. A stream that cannot be read says so itself. */
  readonly error: Error | null;
}

export const NO_STREAMS: ChannelSnapshot = Object.freeze({ streams: Object.freeze([]), error: null });

interface StoreParts {
  watch: (signal: AbortSignal) => AsyncIterable<ChannelEvent>;
  onLeft: () => void;
}
type Row = Pick<ChannelStreamSnapshot, 'streamNo' | 'contentType' | 'metadata'> & { picture: StreamPicture };

/** One channel for any number of components, as StreamStore is one stream. */
export class ChannelStore {
  current = NO_STREAMS;
  private error: Error | null = null;
  private readonly rows = new Map<string, Row>();
  private readonly shown = new Map<string, ChannelStreamSnapshot>();
  private readonly changed = new Set<string>();
  private readonly audience: Audience<ChannelEvent>;

  constructor({ watch, onLeft }: StoreParts) {
    this.audience = new Audience({
      watch, onLeft, take: (event) => this.take(event), fail: (error) => { this.error = asError(error); }, refresh: () => this.refresh(),
    });
  }

  /** @returns ends it */
  look(listener: () => void): () => void {
    return this.audience.look(listener);
  }

  private take(event: ChannelEvent): boolean {
    const row = this.rowOf(event);
    this.changed.add(event.streamNo);
    if (event.type !== 'problem') return row.picture.take(event);
    row.picture.fail(problemToError(event, 500));
    return true;
  }

  private rowOf(event: ChannelEvent): Row {
    const { streamNo } = event;
    const known = this.rows.get(streamNo);
    const { contentType, metadata } = event.type === 'stream' ? event : known ?? { contentType: '', metadata: {} };
    const row = { streamNo, contentType, metadata, picture: known?.picture ?? new StreamPicture() };
    this.rows.set(streamNo, row);
    return row;
  }

  private refresh(): void {
    for (const streamNo of this.changed) {
      const { picture, ...facts } = this.rows.get(streamNo)!;
      this.shown.set(streamNo, { ...facts, ...picture.refresh() });
    }
    this.changed.clear();
    this.current = { streams: [...this.shown.values()], error: this.error };
  }
}
