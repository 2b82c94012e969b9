import type { KnownStream } from './stream-source';

interface Indexed {
  partition: number;
  openedOffset: number;
  /** How many replicas hold it: while an owner takes a follower's place there are two. */
  replicas: number;
}
type Listener = (streams: readonly KnownStream[]) => void;

interface Row {
  streams: Map<string, Indexed>;
  listeners: Set<Listener>;
}

/** Which streams a channel has on this instance: open ones and final ones that are kept. */
export class ChannelIndex {
  private readonly channels = new Map<string, Row>();

  add(channel: string, { streamNo, partition, openedOffset }: KnownStream): void {
    if (channel === '') return;
    const { streams } = this.row(channel);
    const known = streams.get(streamNo);
    if (known === undefined) streams.set(streamNo, { partition, openedOffset, replicas: 1 });
    else known.replicas += 1;
  }

  remove(channel: string, streamNo: string): void {
    const row = this.channels.get(channel);
    const known = row?.streams.get(streamNo);
    if (row === undefined || known === undefined) return;
    known.replicas -= 1;
    if (known.replicas === 0) row.streams.delete(streamNo);
    this.prune(channel);
  }

  /** Tells its followers, perhaps of a stream they know. Apart from `add`, because a replay adds long before the stream may be served. */
  announce(channel: string, stream: KnownStream): void {
    const row = this.channels.get(channel);
    if (row === undefined) return;
    for (const listener of [...row.listeners]) listener([stream]);
  }

  /**
   * A replica serves from now on: whoever follows a channel is told of all it has there, as some may have come and ended unseen.
   * @param has what that replica has, and no other: one that is still restored has streams and lacks older ones, and a follower that
   *   heard of a stream takes every older one for known [WATCH-12]
   */
  announceAll(has: (stream: KnownStream) => boolean): void {
    for (const [channel, row] of this.channels) {
      if (row.listeners.size === 0) continue;
      const streams = this.streams(channel).filter(has);
      for (const listener of [...row.listeners]) listener(streams);
    }
  }

  /** @returns streams known to any replica, in each partition in the order of the log */
  streams(channel: string): KnownStream[] {
    const streams = this.channels.get(channel)?.streams ?? new Map<string, Indexed>();
    return [...streams]
      .map(([streamNo, { partition, openedOffset }]) => ({ streamNo, partition, openedOffset }))
      .sort((one, other) => one.partition - other.partition || one.openedOffset - other.openedOffset);
  }

  /** @returns what ends it */
  follow(channel: string, onStreams: Listener): () => void {
    const { listeners } = this.row(channel);
    listeners.add(onStreams);
    return () => {
      listeners.delete(onStreams);
      this.prune(channel);
    };
  }

  private row(channel: string): Row {
    let row = this.channels.get(channel);
    if (row === undefined) this.channels.set(channel, (row = { streams: new Map(), listeners: new Set() }));
    return row;
  }

  private prune(channel: string): void {
    const row = this.channels.get(channel);
    if (row !== undefined && row.streams.size === 0 && row.listeners.size === 0) this.channels.delete(channel);
  }
}
