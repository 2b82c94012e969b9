import type { Crc32, TopicNames } from '@rivulet/protocol';
import type { Appender, Log } from '@rivulet/log';
import type { ChannelIndex } from './channel-index';
import type { ClusterIdentity } from './cluster-identity';
import type { Proposal } from './control-appender';
import type { DeadLetters, OwnerLogger } from './dead-letters';
import type { LifecycleRecord } from './lifecycle-topic';
import type { OwnerSettings } from './owner-settings';
import type { OwnershipMetrics } from './ownership-metrics';
import type { StreamView } from './stream-view';
import type { Time } from './time';

/** What all partition owners of an instance share. */
export interface OwnerContext {
  log: Log;
  cluster: ClusterIdentity;
  topics: TopicNames;
  /** Random per start of the process. */
  instance: string;
  /** Shown to operators: who owns a partition. */
  address: string;
  settings: OwnerSettings;
  time: Time;
  crc32: Crc32;
  logger: OwnerLogger;
  metrics: OwnershipMetrics;
  deadLetters: DeadLetters;
  lifecycle: Appender<LifecycleRecord>;
  proposals: Appender<Proposal>;
  channels: ChannelIndex;
  makeView(streamNo: string): StreamView;
}
