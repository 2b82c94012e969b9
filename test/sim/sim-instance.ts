import { LOG_PATTERNS } from '@rivulet/log';
import type { LogBatch } from '@rivulet/log';
import { StreamError } from '@rivulet/protocol';
import { Auth, crc32, Metrics, StreamNos } from '@rivulet/service';
import { CatchUp } from '../../apps/fanout/src/catch-up';
import { ChannelIndex } from '../../apps/fanout/src/channel-index';
import { ClusterIdentity } from '../../apps/fanout/src/cluster-identity';
import { controlAppender } from '../../apps/fanout/src/control-appender';
import { DeadLetters } from '../../apps/fanout/src/dead-letters';
import { Delivery } from '../../apps/fanout/src/delivery';
import { DeliveryMetrics } from '../../apps/fanout/src/delivery-metrics';
import { Followers } from '../../apps/fanout/src/followers';
import { Compressions } from '../../apps/fanout/src/gzip-body';
import { KeepAlives } from '../../apps/fanout/src/keep-alives';
import { lifecycleAppender } from '../../apps/fanout/src/lifecycle-topic';
import { NamedSessions } from '../../apps/fanout/src/named-sessions';
import type { OwnerContext } from '../../apps/fanout/src/owner-context';
import type { OwnerSettings } from '../../apps/fanout/src/owner-settings';
import { Owners } from '../../apps/fanout/src/owners';
import type { Replica } from '../../apps/fanout/src/replica';
import { Replicas } from '../../apps/fanout/src/replicas';
import { ScanTurns } from '../../apps/fanout/src/scan-turns';
import { SessionCursors } from '../../apps/fanout/src/session-cursors';
import { SharedFrames } from '../../apps/fanout/src/shared-frames';
import { ViewCache } from '../../apps/fanout/src/view-cache';
import { PartitionSession } from '../../libs/log/src/partition-session';
import type { SimGroup } from './sim-group';
import { SimLog } from './sim-log';
import type { SimBroker } from './sim-broker';
import type { SimLogOptions } from './sim-log';
import { SimProcess } from './virtual-loop';

export interface InstanceOptions {
  log: SimLogOptions;
  owner: OwnerSettings;
  viewBytesMax: number;
  catchUpMs: number;
  frameBytesMax: number;
  coldScansMax: number;
  wallOffsetMs: number;
}

const KEY = new Uint8Array(32).fill(7);
export const STREAM_NOS = new StreamNos([KEY]);
const AUTH = new Auth({ isOn: false, apiKeys: [], tokenKeys: [KEY], tokenCacheMax: 10 });
const METRICS = new DeliveryMetrics(new Metrics('simulated'), () => 0);
const HEARTBEAT_MS = 300;
/** Without a heartbeat for so long a member gives up by itself. */
export const SESSION_TIMEOUT_MS = 3_000;
const nothing = (): void => undefined;
const QUIET = { accepted: nothing, duplicates: nothing, refused: nothing, flushed: nothing, flushFailed: nothing, restored: nothing };

/** Who hears what goes on inside. */
export interface SimEvents {
  note(text: string): void;
  count(name: string): void;
}

/** What partition owners need, on a simulated log; the same parts as buildOwners wires. */
export function ownerContext(log: SimLog, process: SimProcess, settings: OwnerSettings, views: ViewCache, events: SimEvents): OwnerContext {
  const topics = log.broker.names;
  const put = (level: string) => (facts: object, text: string): void => {
    const { err, ...rest } = facts as { err?: Error };
    events.note(`${process.name} ${level}: ${text} ${JSON.stringify(rest)} ${codeOf(err)}`);
    if (text.startsWith('another owner')) events.count('fenced');
  };
  const logger = { debug: put('debug'), info: put('info'), warn: put('warn'), error: put('error') };
  const metrics = {
    ...QUIET, restored: () => events.count('takeovers'), endedAtTakeover: (code: string) => events.count(`takeover ${code}`),
    deadLetter: (reason: string) => events.note(`${process.name} dead letter: ${reason}`),
  };
  return {
    log, topics, instance: process.name, address: `http://${process.name}`, settings, time: log.broker.loop.timeOf(process),
    crc32, logger, metrics, channels: new ChannelIndex(), cluster: new ClusterIdentity(log),
    deadLetters: new DeadLetters(log, topics.deadletters, metrics, logger),
    lifecycle: lifecycleAppender(log, topics.lifecycle, settings.appendMsMax),
    proposals: controlAppender(log, topics.fragments, settings.appendMsMax),
    makeView: (streamNo) => views.create(streamNo),
  };
}

/** A fanout instance: the real owners, views and delivery, a simulated membership around them. One object is one start of the process. */
export class SimInstance {
  readonly process: SimProcess;
  readonly log: SimLog;
  readonly views: ViewCache;
  readonly owners: Owners;
  readonly followers: Followers;
  readonly replicas: Replicas;
  readonly delivery: Delivery;
  private readonly sessions = new Map<number, PartitionSession>();
  private heartbeatAt = 0;
  private isJoined = false;
  private isLeaving = false;

  constructor(
    readonly name: string, private readonly broker: SimBroker, private readonly group: SimGroup, readonly options: InstanceOptions,
    private readonly events: SimEvents,
  ) {
    this.process = new SimProcess(name);
    this.process.wallOffsetMs = options.wallOffsetMs;
    this.log = new SimLog(broker, this.process, options.log);
    this.views = new ViewCache({ bytesMax: options.viewBytesMax, onEvict: () => events.count('evictions') });
    const context = ownerContext(this.log, this.process, options.owner, this.views, events);
    this.owners = new Owners(context);
    this.followers = new Followers(context);
    this.replicas = new Replicas({
      owners: this.owners, followers: this.followers, channels: context.channels, time: context.time,
      partitionsOf: () => Array.from({ length: broker.partitions }, (_, partition) => partition),
    });
    this.delivery = new Delivery({
      source: this.replicas, metrics: METRICS, auth: AUTH, streamNos: STREAM_NOS, frames: new SharedFrames(), keepAlives: new KeepAlives(),
      // Virtual time stands still within a turn: a slice is one frame, or has no end.
      catchUp: new CatchUp(context.time, options.catchUpMs),
      sessions: new NamedSessions({
        metrics: METRICS, time: context.time, limits: { streamSessionsMax: 1, partitionSessionsMax: 1, confirmMs: 5_000 },
        cursors: new SessionCursors({ ...context, topic: broker.names.cursors, idleMs: 60_000, appendMsMax: 5_000 }),
      }),
      turns: new ScanTurns({
        log: this.log, topic: broker.names.fragments, concurrentMax: options.coldScansMax, onScan: () => events.count('coldScans'),
      }),
      compressions: new Compressions(0),
      limits: { frameBytesMax: options.frameBytesMax, sessionStreamsMax: 100 },
    });
  }

  start(): void {
    const { loop } = this.broker;
    this.heartbeatAt = loop.now;
    loop.after(this.process, 0, () => {
      this.owners.start({
        isJoined: () => this.isJoined,
        assigned: () => this.holds,
        heartbeatAt: () => this.heartbeatAt,
        restart: (partition) => this.sessions.get(partition)?.restart(),
        leave: async () => {
          this.isLeaving = true;
          await this.hold([]);
          this.group.leave(this.name);
        },
      });
      this.beat();
    });
  }

  get holds(): number[] {
    return [...this.sessions.values()].filter((session) => !session.isRevoked).map((session) => session.partition);
  }

  /** What it folds, owned or followed, and serves readers from. */
  replicasOf(partition: number): Replica[] {
    const here = [this.owners.find(partition)?.replica, this.followers.find(partition)];
    return here.filter((replica): replica is Replica => replica?.isServing === true);
  }

  /** Told to go, as at a rolling restart. */
  async drain(): Promise<void> {
    this.delivery.drain();
    await this.owners.handOver();
    this.followers.stop();
    await this.owners.leave();
  }

  private beat(): void {
    const { loop } = this.broker;
    if (this.isLeaving) return;
    if (loop.now - this.heartbeatAt > SESSION_TIMEOUT_MS) void this.hold([]);
    const sentAt = loop.now;
    this.group.beat(this.name, this.process, this.holds, (granted) => {
      if (this.isLeaving) return;
      this.isJoined = true;
      this.heartbeatAt = Math.max(this.heartbeatAt, sentAt);
      void this.hold(granted);
    }, () => this.log.networkMs());
    loop.after(this.process, HEARTBEAT_MS, () => this.beat());
  }

  /** As LogBatchServer does with what the membership says. */
  private async hold(wanted: readonly number[]): Promise<void> {
    const gone = this.holds.filter((partition) => !wanted.includes(partition));
    const added = wanted.filter((partition) => !this.holds.includes(partition));
    if (gone.length + added.length > 0) this.events.note(`${this.name} gives up [${gone}] and takes [${added}]`);
    const revoked = gone.map((partition) => this.sessions.get(partition)!.revoke());
    for (const partition of added) this.assign(partition);
    await Promise.all(revoked);
  }

  private assign(partition: number): void {
    const session: PartitionSession = new PartitionSession({
      log: this.log, topic: this.broker.names.fragments, partition,
      after: this.sessions.get(partition)?.done ?? Promise.resolve(),
      call: async (pattern, payload) => {
        if (pattern === LOG_PATTERNS.assigned) return this.owners.assigned(partition);
        if (pattern === LOG_PATTERNS.revoked) return this.owners.revoked(partition);
        return this.owners.fold(payload as LogBatch);
      },
      onTrouble: (text, error) => this.events.note(`${this.name} partition ${partition}: ${text} ${codeOf(error)}`),
    });
    this.sessions.set(partition, session);
    void session.done.then(() => {
      if (this.sessions.get(partition) === session) this.sessions.delete(partition);
    });
  }
}

export function codeOf(error: unknown): string {
  if (error === undefined) return '';
  return error instanceof StreamError ? error.code : String(error);
}
