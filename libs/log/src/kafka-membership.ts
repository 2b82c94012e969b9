import { StreamError } from '@rivulet/protocol';
import { withDeadline } from './deadline';
import type { KafkaLogger } from './kafka-client';
import type { KafkaClusterView } from './kafka-cluster-view';
import { KafkaGroup } from './kafka-group';
import type { GroupMember } from './kafka-group';
import { MemberAssignment, MemberMetadata } from './kafka-internals';
import type { JoinOptions, Membership } from './log';
import { assignSticky } from './sticky-assignment';

const ASSIGNER = 'rivulet-sticky';
/** Between two looks at the heartbeat's age the fence may be late by this much. */
const FENCE_CHECKS = 10;

/** What a member tells when it joins, and what the leader of the group tells everybody. */
interface MemberFacts { had: number[]; round: number }
interface GroupFacts { round: number }

/**
 * Membership of a consumer group that carries no data: who owns which partition. Records come through the tails, so a rebalance never
 * stops a partition that stays [OWN-1].
 *
 * States: joining → member (heartbeats succeed) ⇄ fenced (no heartbeat for a session timeout: the group may have given our partitions
 * away, so we act as if it had; a later heartbeat confirms the assignment and they are assigned again [OWN-2]) → left.
 */
export class KafkaMembership implements Membership {
  private readonly group: KafkaGroup;
  private assigned: number[] = [];
  private round = 0;
  private confirmedAt = performance.now();
  private isFenced = false;
  private hasLeft = false;
  private fence: NodeJS.Timeout | null = null;
  private onFirst: (() => void) | null = null;

  constructor(private readonly view: KafkaClusterView, private readonly options: JoinOptions, private readonly logger?: KafkaLogger) {
    const { groupId, sessionTimeoutMs, heartbeatMs } = options;
    this.group = new KafkaGroup(view, {
      groupId,
      protocol: ASSIGNER,
      sessionTimeoutMs,
      heartbeatMs,
      // How long a rebalance waits for members to join again; they learn of it by their next heartbeat.
      rebalanceTimeoutMs: Math.max(sessionTimeoutMs, 5000),
      metadata: () => this.metadata(),
      assign: (members) => this.assign(members),
      onAssignment: (assignment) => this.take(assignment),
      onHeartbeat: () => this.confirm(),
    }, logger);
  }

  get heartbeatAt(): number {
    return this.confirmedAt;
  }

  /** Resolves once joined. @throws StreamError LOG_UNAVAILABLE when that takes too long; it is then not a member */
  async start(): Promise<void> {
    const { topic, sessionTimeoutMs } = this.options;
    const deadlineMs = 10_000 + 2 * sessionTimeoutMs;
    this.fence = setInterval(() => this.fenceIfSilent(), Math.max(10, sessionTimeoutMs / FENCE_CHECKS));
    try {
      await this.view.untilAnswered(deadlineMs, () => this.view.addTopic(topic));
      const joined = new Promise<void>((resolve) => (this.onFirst = resolve));
      void this.group.run();
      await withDeadline(joined, deadlineMs, 'Joining the group');
    } catch (cause) {
      await this.leave();
      throw new StreamError('LOG_UNAVAILABLE', { detail: 'The group could not be joined.', retryAfterMs: 1000 }, { cause });
    }
  }

  async leave(): Promise<void> {
    if (this.hasLeft) return;
    this.hasLeft = true;
    if (this.fence) clearInterval(this.fence);
    const held = this.isFenced ? [] : this.assigned;
    this.assigned = [];
    if (held.length > 0) this.options.onRevoked(held);
    await this.group.leave();
  }

  private take(assignment: Buffer): void {
    if (this.hasLeft) return;
    const decoded = assignment.length > 0 ? MemberAssignment.decode(assignment) : null;
    const partitions = decoded?.assignment[this.options.topic] ?? [];
    const facts = decoded && parse<GroupFacts>(decoded.userData);
    if (facts) this.round = facts.round;
    const before = this.isFenced ? [] : this.assigned;
    const revoked = before.filter((partition) => !partitions.includes(partition));
    const added = partitions.filter((partition) => !before.includes(partition));
    this.assigned = partitions;
    this.isFenced = false;
    this.confirmedAt = performance.now();
    if (revoked.length > 0) this.options.onRevoked(revoked);
    if (added.length > 0) this.options.onAssigned(added);
    this.onFirst?.();
  }

  private confirm(): void {
    if (this.hasLeft) return;
    this.confirmedAt = performance.now();
    if (!this.isFenced) return;
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

  private metadata(): Buffer {
    const facts: MemberFacts = { had: this.assigned, round: this.round };
    return MemberMetadata.encode({ version: 1, topics: [this.options.topic], userData: toBuffer(facts) });
  }

  private async assign(members: GroupMember[]): Promise<{ memberId: string; memberAssignment: Buffer }[]> {
    const { topic } = this.options;
    await this.view.refresh();
    const facts = members.map(({ memberId, metadata }) => ({ id: memberId, ...memberFacts(metadata) }));
    const partitions = Array.from({ length: this.view.partitions(topic) }, (_, partition) => partition);
    const assignment = assignSticky(partitions, facts);
    const round = Math.max(0, ...facts.map((member) => member.round)) + 1;
    const userData = toBuffer({ round });
    return facts.map(({ id }) => ({
      memberId: id,
      memberAssignment: MemberAssignment.encode({ version: 1, assignment: { [topic]: assignment.get(id)! }, userData }),
    }));
  }
}

const toBuffer = (facts: MemberFacts | GroupFacts): Buffer => Buffer.from(JSON.stringify(facts));

/** A member that speaks otherwise (another version, a tool that joined) claims nothing. */
function memberFacts(metadata: Buffer): MemberFacts {
  const facts = parse<Partial<MemberFacts>>(MemberMetadata.decode(metadata).userData);
  return { had: Array.isArray(facts?.had) ? facts.had : [], round: Number(facts?.round) || 0 };
}

function parse<T>(userData: Buffer | null): T | null {
  try {
    return userData && userData.length > 0 ? (JSON.parse(userData.toString()) as T) : null;
  } catch {
    return null; // not ours
  }
}
