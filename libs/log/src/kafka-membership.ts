import type { Consumer, PartitionAssigner } from 'kafkajs';
import { StreamError } from '@rivulet/protocol';
import { withDeadline } from './deadline';
import type { KafkaClient, KafkaLogger } from './kafka-client';
import { MemberAssignment, MemberMetadata } from './kafka-internals';
import type { DecodedAssignment } from './kafka-internals';
import type { JoinOptions, Membership } from './log';
import { assignSticky } from './sticky-assignment';

const ASSIGNER = 'rivulet-sticky';
const LEAVE_MS_MAX = 3000;
const RESTART_MS = 500;
/** Between two looks at the heartbeat's age the fence may be late by this much. */
const FENCE_CHECKS = 10;

/** What a member tells when it joins, and what the leader of the group tells everybody. */
interface MemberFacts { address: string; had: number[]; round: number }
interface GroupFacts { member: string; round: number; addresses: [address: string, partitions: number[]][] }

/**
 * Membership of a consumer group that carries no data: who owns which partition, and under which address. Records come through the
 * tails, so a rebalance never stops a partition that stays [OWN-1].
 *
 * States: joining → member (heartbeats succeed) ⇄ fenced (no heartbeat for a session timeout: the group may have given our partitions
 * away, so we act as if it had; a later heartbeat confirms the assignment and they are assigned again [OWN-2]) → left.
 */
export class KafkaMembership implements Membership {
  private consumer: Consumer | null = null;
  private assigned: number[] = [];
  private round = 0;
  private addressOf: ReadonlyMap<number, string> = new Map();
  private confirmedAt = performance.now();
  private isFenced = false;
  private hasLeft = false;
  private fence: NodeJS.Timeout | null = null;
  private restart: NodeJS.Timeout | null = null;

  constructor(private readonly client: KafkaClient, private readonly options: JoinOptions, private readonly logger?: KafkaLogger) {
    listenToAssignments();
  }

  get heartbeatAt(): number {
    return this.confirmedAt;
  }

  addresses(): ReadonlyMap<number, string> {
    return this.addressOf;
  }

  /** Resolves once joined. @throws StreamError LOG_UNAVAILABLE when that takes too long; it is then not a member */
  async start(): Promise<void> {
    const { sessionTimeoutMs } = this.options;
    this.fence = setInterval(() => this.fenceIfSilent(), Math.max(10, sessionTimeoutMs / FENCE_CHECKS));
    try {
      await withDeadline(this.run(), 10_000 + 2 * sessionTimeoutMs, 'Joining the group');
    } catch (cause) {
      await this.leave();
      throw new StreamError('LOG_UNAVAILABLE', { detail: 'The group could not be joined.', retryAfterMs: 1000 }, { cause });
    }
  }

  async leave(): Promise<void> {
    if (this.hasLeft) return;
    this.hasLeft = true;
    if (this.fence) clearInterval(this.fence);
    if (this.restart) clearTimeout(this.restart);
    this.revokeAll();
    await this.stop();
    this.client.close();
  }

  /** Joins, and resolves with the first assignment. */
  private run(): Promise<void> {
    const { groupId, topic, sessionTimeoutMs, heartbeatMs } = this.options;
    const consumer: Consumer = this.client.kafka.consumer({
      groupId,
      sessionTimeout: sessionTimeoutMs,
      // How long a rebalance waits for members to rejoin; the fetch below answers well within it.
      rebalanceTimeout: Math.max(sessionTimeoutMs, 5000),
      heartbeatInterval: heartbeatMs,
      // The default of 5 s would delay heartbeats, rebalances and shutdown by as much [KAFKA-13].
      maxWaitTimeInMs: 150,
      allowAutoTopicCreation: false,
      partitionAssigners: [this.assigner()],
      // Not more: only a rejoin looks for the coordinator anew, a patient member would be a zombie [KAFKA-12].
      retry: {
        retries: 8, initialRetryTime: 100, maxRetryTime: 1000, factor: 0.2, multiplier: 2,
        // After a bounded leave, what is left of it must not come back.
        restartOnFailure: async () => !this.hasLeft && this.consumer === consumer,
      },
    });
    this.consumer = consumer;
    consumer.on('consumer.network.request_timeout', () => this.client.dropConnections('A request timed out.'));
    consumer.on('consumer.heartbeat', () => {
      if (this.consumer === consumer) this.confirm();
    });
    consumer.on('consumer.crash', ({ payload }) => {
      if (this.consumer === consumer) this.crashed(payload.error, payload.restart);
    });
    return new Promise((resolve, reject) => {
      consumer.on('consumer.group_join', ({ payload }) => {
        if (this.consumer !== consumer || this.hasLeft) return;
        // Nothing is ever fetched through the group: all of the topic is paused before the first fetch, after every join.
        consumer.pause([{ topic }]);
        const facts = takeGroupFacts(payload.memberId);
        if (facts) {
          this.round = facts.round;
          this.addressOf = new Map(facts.addresses.flatMap(([address, held]) => held.map((partition) => [partition, address])));
        }
        this.take(payload.memberAssignment[topic] ?? []);
        resolve();
      });
      consumer
        .connect()
        .then(() => consumer.subscribe({ topics: [topic] }))
        .then(() => consumer.run({ autoCommit: false, eachBatch: async () => undefined }))
        .catch(reject);
    });
  }

  private take(partitions: number[]): void {
    const before = this.isFenced ? [] : this.assigned;
    const revoked = before.filter((partition) => !partitions.includes(partition));
    const added = partitions.filter((partition) => !before.includes(partition));
    this.assigned = partitions;
    this.isFenced = false;
    this.confirmedAt = performance.now();
    if (revoked.length > 0) this.options.onRevoked(revoked);
    if (added.length > 0) this.options.onAssigned(added);
  }

  private confirm(): void {
    this.confirmedAt = performance.now();
    if (!this.isFenced || this.hasLeft) return;
    this.isFenced = false;
    this.logger?.warn({ partitions: this.assigned }, 'a heartbeat succeeded again: partitions are claimed anew');
    if (this.assigned.length > 0) this.options.onAssigned(this.assigned);
  }

  private fenceIfSilent(): void {
    const silentMs = performance.now() - this.confirmedAt;
    if (this.isFenced || this.hasLeft || silentMs <= this.options.sessionTimeoutMs) return;
    this.isFenced = true;
    if (this.assigned.length === 0) return;
    this.logger?.warn({ silentMs: Math.round(silentMs), partitions: this.assigned }, 'no heartbeat for a session timeout: partitions are given up');
    this.options.onRevoked(this.assigned);
  }

  private revokeAll(): void {
    const held = this.isFenced ? [] : this.assigned;
    this.assigned = [];
    if (held.length > 0) this.options.onRevoked(held);
  }

  /** kafkajs stops for good on errors it takes for a programmer's, while the process lives on [KAFKA-11]: start over with a new one. */
  private crashed(error: Error, restarts: boolean): void {
    this.logger?.warn({ cause: error.message, restarts }, 'the group consumer stopped');
    if (restarts || this.hasLeft) return;
    this.restart = setTimeout(() => {
      void this.stop().then(() => {
        if (!this.hasLeft) return this.run();
      }).catch((cause: Error) => this.crashed(cause, false));
    }, RESTART_MS);
  }

  /** Bounded: disconnect waits for the long poll and for answers that may never come (kafkajs #918). */
  private async stop(): Promise<void> {
    const consumer = this.consumer;
    this.consumer = null;
    if (!consumer) return;
    await withDeadline(consumer.disconnect(), LEAVE_MS_MAX, 'Leaving the group').catch(() => undefined);
    this.client.dropConnections('left');
  }

  private assigner(): PartitionAssigner {
    const { topic, address } = this.options;
    return ({ cluster }) => ({
      name: ASSIGNER,
      version: 1,
      protocol: ({ topics }) => {
        const facts: MemberFacts = { address, had: this.assigned, round: this.round };
        return { name: ASSIGNER, metadata: MemberMetadata.encode({ version: 1, topics, userData: toBuffer(facts) }) };
      },
      assign: async ({ members }) => {
        const facts = members.map(({ memberId, memberMetadata }) => ({ id: memberId, ...memberFacts(memberMetadata) }));
        const partitions = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId).sort((a, b) => a - b);
        const assignment = assignSticky(partitions, facts);
        const round = Math.max(0, ...facts.map((member) => member.round)) + 1;
        const addresses = facts.map((member): [string, number[]] => [member.address, assignment.get(member.id)!]);
        return facts.map(({ id }) => ({
          memberId: id,
          memberAssignment: MemberAssignment.encode({
            version: 1,
            assignment: { [topic]: assignment.get(id)! },
            userData: toBuffer({ member: id, round, addresses }),
          }),
        }));
      },
    });
  }
}

/** Group facts by member id, from the decoding of an assignment until the join event that follows it. */
const groupFacts = new Map<string, GroupFacts>();
const GROUP_FACTS_MAX = 100;
let isListening = false;

/** kafkajs decodes the userData of an assignment and drops it (kafkajs #544); its decoder is one object for all, so it is wrapped once. */
function listenToAssignments(): void {
  if (isListening) return;
  isListening = true;
  const decode = MemberAssignment.decode;
  MemberAssignment.decode = (buffer): DecodedAssignment | null => {
    const decoded = decode(buffer);
    const facts = decoded && parse<GroupFacts>(decoded.userData);
    if (facts && Array.isArray(facts.addresses)) {
      groupFacts.set(facts.member, facts);
      // A join that fails after this leaves its facts behind: the oldest go.
      if (groupFacts.size > GROUP_FACTS_MAX) groupFacts.delete(groupFacts.keys().next().value!);
    }
    return decoded;
  };
}

function takeGroupFacts(member: string): GroupFacts | undefined {
  const facts = groupFacts.get(member);
  groupFacts.delete(member);
  return facts;
}

const toBuffer = (facts: MemberFacts | GroupFacts): Buffer => Buffer.from(JSON.stringify(facts));

/** A member that speaks otherwise (another version, a tool that joined) claims nothing and has no address. */
function memberFacts(metadata: Buffer): MemberFacts {
  const facts = parse<Partial<MemberFacts>>(MemberMetadata.decode(metadata).userData);
  return { address: String(facts?.address ?? ''), had: Array.isArray(facts?.had) ? facts.had : [], round: Number(facts?.round) || 0 };
}

function parse<T>(userData: Buffer | null): T | null {
  try {
    return userData && userData.length > 0 ? (JSON.parse(userData.toString()) as T) : null;
  } catch {
    return null; // not ours
  }
}
