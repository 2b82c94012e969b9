import { createHash } from 'node:crypto';
import { StreamError } from '@rivulet/protocol';
import type { ErrorCode } from '@rivulet/protocol';
import type { Logger } from 'pino';
import { AnswerTurns } from './answer-turns';
import type { DoneMarks } from './done-marks';
import { askedOf, isOver, toldOf } from './stream-facts';
import type { StreamFact, StreamFacts } from './stream-facts';

export type BoundHook = 'receive' | 'persistAfter';
/** What is to be done for one stream that is final. States: waiting → being done → gone once it is marked, by whichever host. */
interface Duty {
  readonly hook: BoundHook;
  readonly plugin: string;
  readonly fact: StreamFact;
  isBusy: boolean;
  /** Until it is tried again. */
  timer: NodeJS.Timeout | null;
  waitMs: number;
  /** Why it failed last. */
  why: string;
}

interface BoundParts {
  facts: StreamFacts;
  marks: DoneMarks;
  /** Partitions of `rivulet.requests` that this host has now. */
  partitions(): readonly number[];
  partitionOf(streamNo: string): number;
  /** @returns what came of it, for the mark, logs and metrics: `done`, or why there was nothing to do. A throw is tried again. */
  work: Readonly<Record<BoundHook, (fact: StreamFact, plugin: string) => Promise<string>>>;
  logger: Logger;
  onDone(plugin: string, hook: BoundHook, outcome: string): void;
}

/** Of one plugin and hook at once. */
const AT_ONCE_MAX = 16;
const RETRY_MS = 500;
const RETRY_MS_MAX = 30_000;
/** What no repetition changes; whatever else goes wrong is tried again. */
const LASTING: readonly ErrorCode[] = ['STREAM_GONE', 'CURSOR_EXPIRED', 'LOG_LOST', 'OPTIONS_INVALID', 'PLUGIN_REFUSED'];

/** @returns the partition of `rivulet.requests` whose host works for that stream */
export const homePartition = (streamNo: string, partitions: number): number =>
  createHash('sha256').update(streamNo).digest().readUInt32BE(0) % Math.max(1, partitions);

/**
 * [PLUGIN-5, PLUGIN-7] What is to be done for bound streams once they are final, by the host that has their partition of the requests, and
 * marked when it is done. What has no mark is taken up by whoever has the partition then: a restart of all hosts loses nothing that ended
 * meanwhile. That two do it at once, or one twice, is harmless: an answer has one streamNo however often it is opened, an event one id.
 */
export class BoundStreams {
  private readonly duties = new Map<string, Duty>();
  private readonly turns = new Map<string, AnswerTurns>();
  private isReady = false;
  private isClosed = false;

  constructor(private readonly parts: BoundParts) {
    const { facts, marks } = parts;
    facts.onChange((_streamNo, fact) => { if (fact) this.seen(fact); });
    marks.onChange((streamNo, name) => { if (this.isReady) this.finish(keyOf(streamNo, name)); });
    void Promise.all([facts.ready, marks.ready]).then(() => this.start());
  }

  /** How much is to be done yet, by this host and the others. */
  waiting(): { plugin: string; hook: BoundHook; count: number }[] {
    const counts = new Map<string, { plugin: string; hook: BoundHook; count: number }>();
    for (const { plugin, hook } of this.isReady ? this.duties.values() : []) {
      const known = counts.get(nameOf(hook, plugin));
      if (known) known.count += 1;
      else counts.set(nameOf(hook, plugin), { plugin, hook, count: 1 });
    }
    return [...counts.values()];
  }

  /** After a partition has come to this host, or anything about a plugin has changed: nothing waits any longer. */
  considerAll(): void {
    for (const [key, duty] of this.duties) {
      if (duty.timer) clearTimeout(duty.timer);
      duty.timer = null;
      duty.waitMs = RETRY_MS;
      this.consider(key, duty);
    }
  }

  /** What is under way ends by itself; what has no mark another host does. */
  close(): void {
    this.isClosed = true;
    for (const key of [...this.duties.keys()]) this.finish(key);
  }

  /** Only once all is read: a mark may have gone with its stream since. */
  private start(): void {
    for (const [key, { hook, plugin, fact }] of this.duties) {
      if (this.parts.marks.of(fact.streamNo).has(nameOf(hook, plugin))) this.finish(key);
    }
    this.isReady = true;
    this.considerAll();
  }

  private seen(fact: StreamFact): void {
    if (fact.status === 'deleted') return this.removed(fact.streamNo);
    if (!isOver(fact)) return;
    const asked = askedOf(fact);
    if (asked !== null) this.add('receive', asked, fact);
    for (const plugin of toldOf(fact)) this.add('persistAfter', plugin, fact);
  }

  private add(hook: BoundHook, plugin: string, fact: StreamFact): void {
    const name = nameOf(hook, plugin);
    const key = keyOf(fact.streamNo, name);
    if (this.isClosed || this.duties.has(key) || (this.isReady && this.parts.marks.of(fact.streamNo).has(name))) return;
    const duty: Duty = { hook, plugin, fact, isBusy: false, timer: null, waitMs: RETRY_MS, why: '' };
    this.duties.set(key, duty);
    this.consider(key, duty);
  }

  private removed(streamNo: string): void {
    // Its mark went with it: what the log still says of the time before is done, or too late.
    if (!this.isReady) for (const [key, { fact }] of this.duties) if (fact.streamNo === streamNo) this.finish(key);
    if (this.isOurs(streamNo)) this.parts.marks.clear(streamNo);
  }

  private finish(key: string): void {
    const timer = this.duties.get(key)?.timer;
    if (timer) clearTimeout(timer);
    this.duties.delete(key);
  }

  private isOurs(streamNo: string): boolean {
    return this.parts.partitions().includes(this.parts.partitionOf(streamNo));
  }

  private isDue(key: string, duty: Duty): boolean {
    return this.isReady && this.duties.get(key) === duty && this.isOurs(duty.fact.streamNo);
  }

  private consider(key: string, duty: Duty): void {
    if (duty.isBusy || duty.timer || !this.isDue(key, duty)) return;
    duty.isBusy = true;
    void this.perform(key, duty);
  }

  private async perform(key: string, duty: Duty): Promise<void> {
    const { hook, plugin, fact } = duty;
    const { marks, work, onDone } = this.parts;
    const release = await this.turnOf(nameOf(hook, plugin)).take();
    try {
      // The partition may have gone to another host while it waited.
      if (this.isDue(key, duty)) {
        const outcome = await work[hook](fact, plugin).catch(lastingCode);
        await marks.set(fact.streamNo, nameOf(hook, plugin), outcome);
        this.finish(key);
        onDone(plugin, hook, outcome);
        this.logDone(duty, outcome);
      }
    } catch (error) {
      this.tryAgain(key, duty, error as Error);
    } finally {
      duty.isBusy = false;
      release();
    }
    // The partition may have gone and come back meanwhile.
    this.consider(key, duty);
  }

  private logDone({ fact: { streamNo }, hook, plugin }: Duty, outcome: string): void {
    const facts = { streamNo, hook, plugin, outcome };
    if (outcome === 'done') this.parts.logger.debug(facts, 'a bound stream is done');
    else this.parts.logger.warn(facts, hook === 'receive' ? 'a bound stream is not answered' : 'a plugin is not told of a bound stream');
  }

  private tryAgain(key: string, duty: Duty, error: Error): void {
    if (!this.isDue(key, duty)) return;
    const { fact: { streamNo }, hook, plugin, waitMs } = duty;
    const why = error instanceof StreamError ? error.code : error.message;
    // A line when it begins and when it changes: a plugin that is away for a day must not fill the log.
    if (why !== duty.why) this.parts.logger.warn({ streamNo, hook, plugin, err: error, waitMs }, 'a bound stream has to wait; it is tried again');
    duty.why = why;
    duty.waitMs = Math.min(waitMs * 2, RETRY_MS_MAX);
    duty.timer = setTimeout(() => {
      duty.timer = null;
      this.consider(key, duty);
    }, waitMs);
  }

  private turnOf(name: string): AnswerTurns {
    let turns = this.turns.get(name);
    if (!turns) this.turns.set(name, (turns = new AnswerTurns(() => AT_ONCE_MAX)));
    return turns;
  }
}

const nameOf = (hook: BoundHook, plugin: string): string => `${hook}/${plugin}`;
const keyOf = (streamNo: string, name: string): string => `${streamNo}/${name}`;

function lastingCode(error: unknown): string {
  if (error instanceof StreamError && LASTING.includes(error.code)) return error.code;
  throw error;
}
