import { withDeadline } from './deadline';
import type { KafkaLogger } from './kafka-client';
import type { KafkaClusterView } from './kafka-cluster-view';
import type { KafkaBroker } from './kafka-internals';

const PAUSE_MS = 50;
const PAUSE_MS_MAX = 500;
const LEAVE_MS_MAX = 3000;
/** Beyond the time a rebalance may take. */
const JOIN_MORE_MS = 1000;
/** Heartbeats that may be missing before the coordinator counts as hanging: the rest of the session is for finding the next one. */
const SESSION_PARTS = 3;

interface Coordinator { broker: KafkaBroker; address: string }
export interface GroupMember { memberId: string; metadata: Buffer }

export interface KafkaGroupOptions {
  groupId: string;
  protocol: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  heartbeatMs: number;
  /** What this member tells the group when it joins. */
  metadata(): Buffer;
  /** Called in the leader of the group. */
  assign(members: GroupMember[]): Promise<{ memberId: string; memberAssignment: Buffer }[]>;
  /** The group's answer. Empty: nothing for this member. */
  onAssignment(assignment: Buffer): void;
  onHeartbeat(): void;
}

/**
 * Our side of Kafka's group protocol, without anything that reads records.
 *
 * States: outside → (join, sync) → member → outside, when the group says that it rebalances or does not know us. Trouble on the way to
 * the coordinator is no reason to leave `member`: the group lives in a log, the next coordinator knows it, and a heartbeat there goes on
 * where the last one stopped, so nothing moves. A consumer of kafkajs retries a dead coordinator for seconds, then gives up its
 * membership and joins anew, which rebalances everybody [KAFKA-12].
 */
export class KafkaGroup {
  private memberId = '';
  private generation: number | null = null;
  private coordinator: Coordinator | null = null;
  private failures = 0;
  private hasLeft = false;
  private wake: (() => void) | null = null;

  constructor(
    private readonly view: KafkaClusterView,
    private readonly options: KafkaGroupOptions,
    private readonly logger?: KafkaLogger,
  ) {}

  /** Goes on until `leave`. */
  async run(): Promise<void> {
    while (!this.hasLeft) {
      try {
        this.coordinator ??= await this.view.coordinator(this.options.groupId);
        if (this.hasLeft) return;
        if (this.generation === null) await this.join(this.coordinator);
        else await this.heartbeat(this.coordinator);
        this.failures = 0;
        await this.pause(this.options.heartbeatMs);
      } catch (error) {
        if (this.hasLeft) return;
        await this.learn(error as Error & { type?: string });
      }
    }
  }

  /** Bounded: a coordinator that hangs answers never; the group then notices by the session timeout. */
  async leave(): Promise<void> {
    this.hasLeft = true;
    this.wake?.();
    const { coordinator, memberId } = this;
    if (coordinator && memberId !== '') {
      const leaving = coordinator.broker.leaveGroup({ groupId: this.options.groupId, memberId });
      await withDeadline(leaving, LEAVE_MS_MAX, 'Leaving the group').catch(() => undefined);
    }
    await this.view.close();
  }

  private async join({ broker, address }: Coordinator): Promise<void> {
    const { groupId, protocol, sessionTimeoutMs, rebalanceTimeoutMs } = this.options;
    const joined = await this.bounded(address, rebalanceTimeoutMs + JOIN_MORE_MS, broker.joinGroup({
      groupId,
      memberId: this.memberId,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      groupProtocols: [{ name: protocol, metadata: this.options.metadata() }],
    }));
    const { generationId, memberId } = joined;
    this.memberId = memberId;
    const isLeader = memberId === joined.leaderId;
    const members = joined.members.map((member) => ({ memberId: member.memberId, metadata: member.memberMetadata }));
    const groupAssignment = isLeader ? await this.options.assign(members) : [];
    const syncing = broker.syncGroup({ groupId, generationId, memberId, groupAssignment });
    const { memberAssignment } = await this.bounded(address, sessionTimeoutMs, syncing);
    if (this.hasLeft) return;
    this.generation = generationId;
    this.options.onAssignment(memberAssignment);
  }

  private async heartbeat({ broker, address }: Coordinator): Promise<void> {
    const { groupId, sessionTimeoutMs } = this.options;
    const beating = broker.heartbeat({ groupId, memberId: this.memberId, groupGenerationId: this.generation! });
    await this.bounded(address, sessionTimeoutMs / SESSION_PARTS, beating);
    this.options.onHeartbeat();
  }

  /** What is late may hang: no further request goes into that connection [KAFKA-20]. */
  private async bounded<T>(address: string, afterMs: number, answer: Promise<T>): Promise<T> {
    try {
      return await withDeadline(answer, afterMs, 'The coordinator');
    } catch (error) {
      if ((error as { type?: string }).type === undefined) this.view.client.dropConnections('The coordinator does not answer.', address);
      throw error;
    }
  }

  /** What an error says about where we are. */
  private async learn(error: Error & { type?: string }): Promise<void> {
    const { type } = error;
    this.logger?.debug({ cause: error.message, groupId: this.options.groupId }, 'the group answers otherwise');
    if (type === 'REBALANCE_IN_PROGRESS' || type === 'ILLEGAL_GENERATION' || type === 'UNKNOWN_MEMBER_ID') {
      this.generation = null;
      if (type === 'UNKNOWN_MEMBER_ID') this.memberId = '';
      // At once: everybody waits for those who have not joined again.
      if (this.failures++ === 0) return;
    } else this.coordinator = null;
    await this.pause(Math.min(PAUSE_MS * 2 ** this.failures++, PAUSE_MS_MAX));
  }

  private pause(forMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, forMs);
      this.wake = () => { clearTimeout(timer); resolve(); };
      if (this.hasLeft) this.wake();
    });
  }
}
