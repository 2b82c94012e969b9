import { topicNames } from '@rivulet/protocol';
import type { Log } from '@rivulet/log';
import { crc32 } from '@rivulet/service';
import type { Frame } from '@rivulet/service';
import { ChannelIndex } from './channel-index';
import { ClusterIdentity } from './cluster-identity';
import type { FanoutConfig } from './config';
import { controlAppender } from './control-appender';
import { DeadLetters } from './dead-letters';
import { lifecycleAppender } from './lifecycle-topic';
import { OWNER_SETTINGS } from './owner-settings';
import { Owners } from './owners';
import { addOwnershipGauges, ownershipMetrics } from './ownership-metrics';
import { systemTime } from './time';
import type { ViewCache } from './view-cache';

/** Wires the owners of a process to its log, metrics, readiness and drain. */
export function buildOwners(frame: Frame, log: Log, config: FanoutConfig, views: ViewCache): Owners {
  const { logger, instance } = frame;
  const topics = topicNames(config.topicPrefix);
  const metrics = ownershipMetrics(frame.metrics);
  const deadLetters = new DeadLetters(log, topics.deadletters, metrics, logger);
  const lifecycle = lifecycleAppender(log, topics.lifecycle, config.lifecycleMsMax);
  const proposals = controlAppender(log, topics.fragments, config.lifecycleMsMax);
  const { replayBytesMax, tickMs, proofMs, pauseMsMax } = config;
  const owners = new Owners({
    log, topics, instance, logger, metrics, crc32, deadLetters, lifecycle, proposals, time: systemTime,
    address: advertisedAddress(config),
    settings: { ...OWNER_SETTINGS, replayBytesMax, tickMs, proofMs, pauseMsMax },
    channels: new ChannelIndex(),
    cluster: new ClusterIdentity(log),
    makeView: (streamNo) => views.create(streamNo),
  });
  addOwnershipGauges(frame.metrics, {
    ownedPartitions: () => owners.ownedPartitions,
    openStreams: () => owners.openStreams,
    finishedStreams: () => owners.finishedStreams,
    foldLag: () => owners.foldLag,
    replayBytes: () => owners.replayBytes,
  });
  frame.readiness.add('partitions', () => owners.whyNotReady());
  frame.drain.add('appends', 'lifecycle', () => owners.handOver());
  // Parts of a step run at once, so the group is left here and not only by the app that closes: by then every partition has been revoked.
  frame.drain.add('membership', 'owners', async () => {
    await owners.leave();
    await Promise.all([lifecycle.flush(), proposals.flush(), deadLetters.flush()]);
  });
  return owners;
}

export function advertisedAddress(config: FanoutConfig): string {
  return config.fanoutAddress !== '' ? config.fanoutAddress : `http://${config.host}:${config.fanoutPort}`;
}
