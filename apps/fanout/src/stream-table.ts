import type { ChannelIndex } from './channel-index';
import { FinishedStream } from './finished-stream';
import type { OpenStream } from './open-stream';
import type { KnownStream } from './stream-source';

/** The streams of one partition. */
export class StreamTable {
  /** Open, or ended and watched, or ended and not yet durable in lifecycle. */
  readonly live = new Map<string, OpenStream>();
  readonly finished = new Map<string, FinishedStream>();
  /** Only the tombstone is missing: streamNo → offset that `replayFrom` has to be past [OWN-4]. A part of `finished`. */
  readonly deleted = new Map<string, number>();
  /** Live streams that are not final: what a clock can still run out for. */
  openCount = 0;

  constructor(private readonly channels: ChannelIndex) {}

  has(streamNo: string): boolean {
    return this.live.has(streamNo) || this.finished.has(streamNo);
  }

  add(stream: OpenStream): void {
    this.live.set(stream.streamNo, stream);
    if (!stream.isFinal) this.openCount += 1;
    const { streamNo, partition, state } = stream;
    this.channels.add(state.open.channel, { streamNo, partition, openedOffset: state.openedOffset });
  }

  becameFinal(): void {
    this.openCount -= 1;
  }

  addFinished(known: KnownStream, finished: FinishedStream): void {
    this.setFinished(known.streamNo, finished);
    this.channels.add(finished.channel, known);
  }

  /** Something newer is known of a finished stream. */
  replaceFinished(streamNo: string, finished: FinishedStream): void {
    const { channel } = this.finished.get(streamNo)!;
    if (finished.isDeleted) this.channels.remove(channel, streamNo);
    this.setFinished(streamNo, finished);
  }

  /** A finished stream is in memory again. */
  recall(stream: OpenStream): void {
    this.finished.delete(stream.streamNo);
    this.live.set(stream.streamNo, stream);
  }

  /** An ended stream that nobody watches and whose lifecycle value is durable becomes one small entry. @returns whether it did */
  dismiss(stream: OpenStream): boolean {
    const { state } = stream;
    const isBusy = stream.pins > 0 || stream.isDirty || stream.isFlying || stream.lifecycleOffset < 0 || stream.isOrphaned;
    if (state.final === null || isBusy || this.live.get(stream.streamNo) !== stream) return false;
    const { channel, retentionMs } = state.open;
    this.live.delete(stream.streamNo);
    this.setFinished(stream.streamNo, new FinishedStream(
      stream.lifecycleOffset, stream.foldedTo, state.final.at + retentionMs, state.isDeleted, state.isDeleted ? '' : channel,
    ));
    if (state.isDeleted) this.channels.remove(channel, stream.streamNo);
    stream.dispose();
    return true;
  }

  forget(streamNo: string): void {
    this.channels.remove(this.finished.get(streamNo)?.channel ?? '', streamNo);
    this.finished.delete(streamNo);
    this.deleted.delete(streamNo);
  }

  /** The partition is no longer ours. */
  orphan(): void {
    for (const stream of this.live.values()) {
      this.channels.remove(stream.state.open.channel, stream.streamNo);
      stream.orphan();
    }
    for (const [streamNo, finished] of this.finished) this.channels.remove(finished.channel, streamNo);
    this.live.clear();
    this.finished.clear();
    this.deleted.clear();
    this.openCount = 0;
  }

  private setFinished(streamNo: string, finished: FinishedStream): void {
    this.finished.set(streamNo, finished);
    if (finished.isDeleted) this.deleted.set(streamNo, finished.foldedTo);
  }
}
