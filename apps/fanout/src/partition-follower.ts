import type { Tail } from '@rivulet/log';
import type { DeadLetterSink } from './dead-letters';
import { FollowedLifecycle } from './followed-lifecycle';
import type { OpenStream } from './open-stream';
import type { OwnerContext } from './owner-context';
import type { FoldMetrics } from './ownership-metrics';
import { PartitionFold } from './partition-fold';
import { replayTo } from './replay';
import { Replica } from './replica';
import { LifecycleRestore } from './restore';
import { restoreStreams } from './takeover';

/** The owner counts what is folded and keeps dead letters; a follower that did so too would say everything twice. */
const SILENT: FoldMetrics & DeadLetterSink = {
  accepted: () => undefined, duplicates: () => undefined, refused: () => undefined, put: () => undefined,
};

/**
 * A partition that is folded here for readers only, because this instance has sessions of it and another one owns it [OWN-8]. It starts as
 * a takeover does, from lifecycle and the log, but claims nothing and publishes nothing; so it depends on nobody, and an owner that dies
 * is no concern of its readers. It ends when an owner of this instance takes its place, when the log lost what comes next, or for want of
 * readers.
 */
export class PartitionFollower {
  readonly replica: Replica;
  private lifecycle: FollowedLifecycle | null = null;
  private tail: Tail | null = null;

  constructor(readonly partition: number, private readonly context: OwnerContext) {
    this.replica = new Replica(partition, context);
  }

  /** Resolves when it serves. @throws StreamError LOG_UNAVAILABLE, NOT_OWNER (given up meanwhile) */
  async start(): Promise<void> {
    const { context, partition, replica } = this;
    const { log, topics, time } = context;
    const assertWanted = (): void => replica.assertNotOver();
    const restore = new LifecycleRestore(log, topics.lifecycle, partition, SILENT, time, assertWanted);
    const [clusterId] = await Promise.all([context.cluster.ask(), restore.readAll()]);
    const { replayFrom } = await restoreStreams(context, partition, replica.table, restore, clusterId, true);
    assertWanted();
    // Of a stream that goes on, no value says how it ended: it stays in memory until one does.
    for (const stream of replica.table.live.values()) stream.lifecycleOffset = -1;
    const fold = this.build(replayFrom);
    const { end } = await log.bounds(topics.fragments, partition);
    await replayTo(context, fold, partition, end, assertWanted);
    assertWanted();
    this.lifecycle = new FollowedLifecycle({ ...context, partition, table: replica.table, from: restore.next, foldNext: () => fold.next });
    replica.serve(fold, clusterId);
    this.tail = log.tail(topics.fragments, partition, fold.next, {
      onBatch: (batch) => replica.take(batch),
      onJump: (jump) => {
        context.logger.warn({ partition, ...jump }, 'the log lost what a follower would have folded next: its readers start anew');
        this.stop();
      },
    });
  }

  /** Its readers move on. Idempotent. */
  stop(): void {
    void this.tail?.close();
    void this.lifecycle?.close();
    this.replica.end();
  }

  private build(replayFrom: number): PartitionFold {
    const { context, partition, replica } = this;
    return new PartitionFold(replayFrom, {
      ...context, partition, table: replica.table, metrics: SILENT, deadLetters: SILENT,
      recall: (streamNo) => replica.finished.findPatiently(streamNo),
      onUncovered: () => undefined,
      onPublic: (stream: OpenStream) => this.lifecycle?.changed(stream),
      onOpened: (stream) => replica.announce(stream),
    });
  }
}
