/** Which streams a channel has on this instance: open ones and final ones that are kept. */
export class ChannelIndex {
  private readonly channels = new Map<string, { streams: Set<string>; listeners: Set<(streamNo: string) => void> }>();

  add(channel: string, streamNo: string): void {
    if (channel !== '') this.row(channel).streams.add(streamNo);
  }

  remove(channel: string, streamNo: string): void {
    const row = this.channels.get(channel);
    if (row === undefined) return;
    row.streams.delete(streamNo);
    this.prune(channel);
  }

  /** Tells those who follow the channel. Apart from `add`, because a replay adds long before the stream may be served. */
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
    return { present: [...row.streams].sort(), stop };
  }

  private row(channel: string): { streams: Set<string>; listeners: Set<(streamNo: string) => void> } {
    let row = this.channels.get(channel);
    if (row === undefined) this.channels.set(channel, (row = { streams: new Set(), listeners: new Set() }));
    return row;
  }

  private prune(channel: string): void {
    const row = this.channels.get(channel);
    if (row !== undefined && row.streams.size === 0 && row.listeners.size === 0) this.channels.delete(channel);
  }
}
