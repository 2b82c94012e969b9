import { topicNames } from '@rivulet/protocol';
import type { Log } from '@rivulet/log';
import { channelPartition, crc32, STREAM_CLASSES } from '@rivulet/service';
import type { Frame } from '@rivulet/service';
import { ChannelIndex } from './channel-index';
import { ClusterIdentity } from './cluster-identity';
import type { FanoutConfig } from './config';
import { controlAppender } from './control-appender';
import { CursorKeeper } from './cursor-keeper';
import { DeadLetters } from './dead-letters';
import { Followers } from './followers';
import { lifecycleAppender } from './lifecycle-topic';
import type { OwnerContext } from './owner-context';
import { OWNER_SETTINGS } from './owner-settings';
import { Owners } from './owners';
import { addOwnershipGauges, ownershipMetrics } from './ownership-metrics';
import { Replicas } from './replicas';
import { SessionCursors } from './session-cursors';
import { systemTime } from './time';
import type { ViewCache } from './view-cache';

export interface BuiltOwners { owners: Owners; replicas: Replicas; cursors: SessionCursors }

/** Wires what folds partitions, for the log and for readers, to the log, metrics, readiness and drain. */
export function buildOwners(frame: Frame, log: Log, config: FanoutConfig, views: ViewCache): BuiltOwners {
  const { logger, instance } = frame;
  const topics = topicNames(config.topicPrefix);
  const metrics = ownershipMetrics(frame.metrics);
  const deadLetters = new DeadLetters(log, topics.deadletters, metrics, logger);
  const lifecycle = lifecycleAppender(log, topics.lifecycle, config.lifecycleMsMax);
  const proposals = controlAppender(log, topics.fragments, config.lifecycleMsMax);
  const { replayBytesMax, tickMs, proofMs, pauseMsMax, followIdleMs } = config;
  const channels = new ChannelIndex();
  const context: OwnerContext = {
    log, topics, instance, logger, metrics, crc32, deadLetters, lifecycle, proposals, time: systemTime,
    address: advertisedAddress(config),
    settings: { ...OWNER_SETTINGS, replayBytesMax, tickMs, proofMs, pauseMsMax, followIdleMs },
    channels,
    cluster: new ClusterIdentity(log),
    makeView: (streamNo) => views.create(streamNo),
  };
  const owners = new Owners(context);
  const followers = new Followers(context);
  const partitionsOf = (channel: string): number[] => STREAM_CLASSES.map((one) => channelPartition(one, channel, config));
  const replicas = new Replicas({ owners, followers, channels, partitionsOf, time: systemTime });
  const cursors = new SessionCursors({
    log, topic: topics.cursors, time: systemTime, logger, idleMs: followIdleMs, appendMsMax: config.lifecycleMsMax,
  });
  const keeper = new CursorKeeper(cursors, owners, systemTime, logger);
  keeper.start();
  frame.metrics.gauge('named_sessions', 'Named sessions of streams, in the partitions folded here.', [], (gauge) => gauge.set(cursors.size));
  addOwnershipGauges(frame.metrics, {
    ownedPartitions: () => owners.ownedPartitions,
    openStreams: () => owners.openStreams,
    finishedStreams: () => owners.finishedStreams,
    followedPartitions: () => followers.count,
    foldLag: () => owners.foldLag + followers.lag,
    replayBytes: () => owners.replayBytes,
  });
  frame.readiness.add('partitions', () => owners.whyNotReady());
  frame.drain.add('appends', 'lifecycle', () => owners.handOver());
  // Parts of a step run at once, so the group is left here and not only by the app that closes: by then every partition has been revoked.
  frame.drain.add('membership', 'owners', async () => {
    keeper.stop();
    followers.stop();
    await owners.leave();
    await Promise.all([lifecycle.flush(), proposals.flush(), deadLetters.flush(), cursors.flush()]);
    cursors.close();
  });
  return { owners, replicas, cursors };
}

function advertisedAddress(config: FanoutConfig): string {
  return config.fanoutAddress !== '' ? config.fanoutAddress : `http://${config.host}:${config.fanoutPort}`;
}
