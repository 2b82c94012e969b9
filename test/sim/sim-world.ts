import { topicNames } from '@rivulet/protocol';
import type { ErrorCode } from '@rivulet/protocol';
import { Oracle, Violation } from './oracle';
import { Random } from './random';
import { SimBroker } from './sim-broker';
import { SimGroup } from './sim-group';
import { SimIngest } from './sim-ingest';
import { SimInstance } from './sim-instance';
import type { SimChannelSession } from './sim-channel-session';
import type { Arrival, SimSession } from './sim-session';
import type { SimStream } from './sim-stream';
import { SimProcess, VirtualLoop } from './virtual-loop';
import { planWorld } from './world-plan';
import type { WorldPlan } from './world-plan';

/** Where a test breaks something on purpose, to see that it is noticed. */
export interface SimHooks {
  onArrival?(session: SimSession, arrival: Arrival): void;
  /** Before anything runs. */
  onWorld?(world: SimWorld): void;
  /** A new start of an instance. */
  onInstance?(instance: SimInstance): void;
}

const NOTES_KEPT = 120;
/** What a reader may be told of a stream whose records were lost. */
const LOST: readonly ErrorCode[] = ['LOG_LOST', 'CURSOR_UNKNOWN', 'STREAM_NOT_FOUND', 'STREAM_GONE'];

/** Everything of one seed: processes, broker, producers, readers, and the oracle that watches them. */
export class SimWorld {
  readonly random: Random;
  readonly loop: VirtualLoop;
  /** Producers and readers: they are outside, and nothing befalls them here but what they do. */
  readonly clients = new SimProcess('clients');
  readonly plan: WorldPlan;
  readonly oracle: Oracle;
  readonly broker: SimBroker;
  readonly group: SimGroup;
  readonly instances: SimInstance[] = [];
  readonly ingests: SimIngest[] = [];
  readonly streams: SimStream[] = [];
  readonly sessions: SimSession[] = [];
  /** Only in worlds that are made for them: they would change what every seed means. */
  readonly channelSessions: SimChannelSession[] = [];
  readonly notes: string[] = [];
  /** Over the whole trace: two runs of a seed must have the same. */
  traceHash = 0x811c9dc5;
  /** What happened, for a look at what a run reached. */
  readonly counts: Record<string, number> = {};
  failure: Error | null = null;
  private starts = 0;

  constructor(readonly seed: number, readonly hooks: SimHooks = {}) {
    this.random = new Random(seed);
    this.loop = new VirtualLoop(this.random);
    this.plan = planWorld(this.random);
    const topics = topicNames('sim');
    this.oracle = new Oracle(topics);
    this.broker = new SimBroker(this.loop, this.random, topics, this.plan.partitions);
    this.broker.faults = { ...this.plan.faults };
    this.broker.onAppend((topic, partition, records, from) => {
      this.note(`${from} writes ${records.length} to ${topic}/${partition} at ${records[0]!.offset}`);
      this.watch(() => this.oracle.take(topic, partition, records));
    });
    this.group = new SimGroup(this.broker, this.plan.groupTimeoutMs);
    hooks.onWorld?.(this);
  }

  /** One line of the trace. */
  note(text: string): void {
    const line = `${this.loop.now.toFixed(2)} ${text}`;
    if (this.notes.length >= NOTES_KEPT * 2) this.notes.splice(0, NOTES_KEPT);
    this.notes.push(line);
    for (let index = 0; index < line.length; index += 1) this.traceHash = Math.imul(this.traceHash ^ line.charCodeAt(index), 0x01000193);
  }

  count(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }

  /** A violation inside of the product's own calls would be answered by them: it is kept. */
  watch(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.failure ??= error as Error;
    }
  }

  /** A promise that must not fail. */
  guard(promise: Promise<unknown>): void {
    promise.catch((error: unknown) => { this.failure ??= error as Error; });
  }

  /** What is cheap enough to be looked at after every step. */
  checkStep(): void {
    if (this.failure !== null) throw this.failure;
    for (const { name, views, options, process } of this.instances) {
      if (!process.isDead && views.bytes > options.viewBytesMax) throw new Violation(`[WATCH-4] ${name} holds ${views.bytes} bytes of views`);
    }
    for (const { name, appender, options, process } of this.ingests) {
      for (let partition = 0; partition < this.plan.partitions; partition += 1) {
        const isOver = !process.isDead && appender.queuedBytes(partition) > options.queueBytesMax;
        if (isOver) throw new Violation(`[APPEND-5] ${name} queues ${appender.queuedBytes(partition)} bytes`);
      }
    }
  }

  /** Whoever folds, owner or follower, has what the log gives. */
  checkReplicas(): void {
    for (const instance of this.instances) {
      for (let partition = 0; partition < this.plan.partitions; partition += 1) {
        for (const replica of instance.replicasOf(partition)) {
          this.count('replicas');
          for (const { state } of replica.table.live.values()) this.oracle.checkState(state, instance.name);
        }
      }
    }
  }

  startInstance(): SimInstance {
    this.starts += 1;
    const events = { note: (text: string) => this.note(text), count: (name: string) => this.count(name) };
    const instance = new SimInstance(`fanout${this.starts}`, this.broker, this.group, this.plan.instance(this.random), events);
    this.hooks.onInstance?.(instance);
    this.note(`${instance.name} starts`);
    this.instances.push(instance);
    instance.start();
    return instance;
  }

  startIngest(): SimIngest {
    this.starts += 1;
    const ingest = new SimIngest(`ingest${this.starts}`, this.broker, this.plan.ingest(this.random));
    this.note(`${ingest.name} starts`);
    this.ingests.push(ingest);
    return ingest;
  }

  /** kill -9: what it had sent may still land, nothing else of it happens. */
  killInstance(instance: SimInstance): void {
    if (instance.process.isDead) return;
    this.note(`${instance.name} is killed`);
    this.loop.kill(instance.process);
    this.instances.splice(this.instances.indexOf(instance), 1);
    for (const session of [...this.sessions, ...this.channelSessions]) session.instanceDied(instance);
  }

  killIngest(ingest: SimIngest): void {
    if (ingest.process.isDead) return;
    this.note(`${ingest.name} is killed`);
    this.loop.kill(ingest.process);
    this.ingests.splice(this.ingests.indexOf(ingest), 1);
    ingest.die();
  }

  /** Errors that readers may meet, because of what was done to the log. */
  isExpected(streamNo: string, code: ErrorCode): boolean {
    const { damaged, shortened } = this.oracle;
    if (code === 'CURSOR_EXPIRED') return damaged.has(streamNo) || shortened.has(streamNo);
    return damaged.has(streamNo) && LOST.includes(code);
  }
}
