import { StreamError, parseStreamNo } from '@rivulet/protocol';
import type { StreamSummary } from '@rivulet/protocol';
import type { ChannelIndex } from './channel-index';
import type { Followers } from './followers';
import { OpenStream } from './open-stream';
import type { Owners } from './owners';
import type { Replica } from './replica';
import type { StreamTable } from './stream-table';
import type { ChannelHandle, ChannelStream, KnownStream, StreamEntry, StreamSource } from './stream-source';
import { sleep } from './time';
import type { Time } from './time';

export interface ReplicasOptions {
  owners: Owners;
  followers: Followers;
  channels: ChannelIndex;
  /** Where streams of a channel live, whatever their class. */
  partitionsOf(channel: string): number[];
  time: Time;
}

/** A replica may go while it is asked: the next one is asked then. More often than this in a row is trouble. */
const REPLICAS_ASKED_MAX = 3;
/** For an owner that is starting anyway a reader waits so long before a follower is started beside it, ms. */
const OWNER_MS_MAX = 1_000;
/** Between two tries to have a replica for a channel that is followed, ms. */
const AGAIN_MS = 500;

/**
 * Every stream there is, for the readers of this instance: from the owner of its partition when that is here, else from a follower [OWN-8].
 * One instance needs no other one for that, so there is no link between them that could break.
 */
export class Replicas implements StreamSource {
  constructor(private readonly options: ReplicasOptions) {
    const { owners, followers } = options;
    owners.whenServing((partition) => followers.giveUp(partition));
  }

  async open(streamNo: string): Promise<StreamEntry> {
    const parts = parseStreamNo(streamNo);
    if (parts === null) throw new StreamError('STREAM_NO_NOT_ISSUED');
    return this.ask(parts.partition, (replica) => replica.open(streamNo));
  }

  release(entry: StreamEntry): void {
    if (!(entry instanceof OpenStream) || entry.isOrphaned) return;
    const { owners, followers } = this.options;
    for (const replica of [owners.find(entry.partition)?.replica, followers.find(entry.partition)]) {
      if (replica?.table.live.get(entry.streamNo) === entry) return replica.release(entry);
    }
  }

  async summary(streamNo: string): Promise<StreamSummary> {
    const stream = await this.open(streamNo) as OpenStream;
    try {
      return stream.summary();
    } finally {
      this.release(stream);
    }
  }

  async caughtUp(partition: number): Promise<void> {
    await this.ask(partition, (replica) => replica.caughtUp());
  }

  async channel(channel: string): Promise<ChannelHandle> {
    const { channels, partitionsOf } = this.options;
    const partitions = partitionsOf(channel);
    const held = await Promise.all(partitions.map((partition) => this.hold(partition)));
    let stopFollowing = (): void => undefined;
    return {
      partitions,
      clusterId: held[0]!.clusterId,
      follow: (onStreams) => { stopFollowing = channels.follow(channel, onStreams); },
      streams: () => {
        const tables = new Map(partitions.map((partition) => [partition, this.served(partition).table]));
        return channels.streams(channel).flatMap((stream) => listed(stream, tables.get(stream.partition)));
      },
      foldedTo: (partition) => this.served(partition).next,
      stop: () => {
        stopFollowing();
        for (const { letGo } of held) letGo();
      },
    };
  }

  /** @throws StreamError NOT_READY */
  private served(partition: number): Replica {
    const replica = this.servingNow(partition);
    if (replica === null) throw new StreamError('NOT_READY', { partition, retryAfterMs: AGAIN_MS });
    return replica;
  }

  /** Keeps a replica of a partition here, whichever it is, and resolves once one serves. */
  private async hold(partition: number): Promise<{ clusterId: string; letGo: () => void }> {
    let isWanted = true;
    let replica = await this.serving(partition);
    replica.pins += 1;
    void (async () => {
      for (;;) {
        await replica.over;
        if (!isWanted) return;
        replica = await this.servingPatiently(partition, () => isWanted) ?? replica;
        if (isWanted) replica.pins += 1;
      }
    })();
    const letGo = (): void => {
      isWanted = false;
      replica.pins -= 1;
    };
    return { clusterId: replica.clusterId, letGo };
  }

  private async servingPatiently(partition: number, isWanted: () => boolean): Promise<Replica | null> {
    while (isWanted()) {
      try {
        return await this.serving(partition);
      } catch (error) {
        if (!(error instanceof StreamError)) throw error;
        await sleep(this.options.time, AGAIN_MS);
      }
    }
    return null;
  }

  private async ask<T>(partition: number, question: (replica: Replica) => Promise<T>): Promise<T> {
    for (let asked = 1; ; asked += 1) {
      try {
        return await question(await this.serving(partition));
      } catch (error) {
        const isGone = error instanceof StreamError && error.code === 'NOT_OWNER';
        if (!isGone || asked >= REPLICAS_ASKED_MAX) throw error;
      }
    }
  }

  /** @throws StreamError LOG_UNAVAILABLE, NOT_OWNER */
  private async serving(partition: number): Promise<Replica> {
    const { owners, followers } = this.options;
    const here = this.servingNow(partition);
    if (here !== null) return here;
    const starting = owners.starting(partition);
    if (starting !== undefined && followers.find(partition) === undefined) {
      await Promise.race([starting, sleep(this.options.time, OWNER_MS_MAX)]);
    }
    return this.servingNow(partition) ?? followers.follow(partition);
  }

  private servingNow(partition: number): Replica | null {
    const { owners, followers } = this.options;
    for (const replica of [owners.find(partition)?.replica, followers.find(partition)]) if (replica?.isServing) return replica;
    return null;
  }
}

/** Only what the replica that serves has: one that is still restored does not know all that came before it. */
function listed(stream: KnownStream, table: StreamTable | undefined): ChannelStream[] {
  if (!table?.has(stream.streamNo)) return [];
  return [{ ...stream, isEnded: table.live.get(stream.streamNo)?.isFinal ?? true }];
}
