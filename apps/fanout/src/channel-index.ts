interface Row {
  /** How many replicas hold each stream: while an owner takes a follower's place there are two. */
  streams: Map<string, number>;
  listeners: Set<(streamNo: string) => void>;
}

/** Which streams a channel has on this instance: open ones and final ones that are kept. */
export class ChannelIndex {
  private readonly channels = new Map<string, Row>();

  add(channel: string, streamNo: string): void {
    if (channel === '') return;
    const { streams } = this.row(channel);
    streams.set(streamNo, (streams.get(streamNo) ?? 0) + 1);
  }

  remove(channel: string, streamNo: string): void {
    const row = this.channels.get(channel);
    if (row === undefined) return;
    const left = (row.streams.get(streamNo) ?? 0) - 1;
    if (left > 0) row.streams.set(streamNo, left);
    else row.streams.delete(streamNo);
    this.prune(channel);
  }

  /** Tells its followers, perhaps of a stream they know. Apart from `add`, because a replay adds long before the stream may be served. */
  announce(channel: string, streamNo: string): void {
    const row = this.channels.get(channel);
    if (row === undefined) return;
    for (const listener of [...row.listeners]) listener(streamNo);
  }

  /** @returns streams known now, oldest first: a streamNo sorts by time [NO-1] */
  follow(channel: string, onStream: (streamNo: string) => void): { present: string[]; stop: () => void } {
    const row = this.row(channel);
    row.listeners.add(onStream);
    const stop = (): void => {
      row.listeners.delete(onStream);
      this.prune(channel);
    };
    return { present: [...row.streams.keys()].sort(), stop };
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
