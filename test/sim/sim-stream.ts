import type { LogRecord } from '@rivulet/protocol';
import { SimProducer } from './sim-producer';
import type { StreamPlan } from './sim-producer';
import type { SimWorld } from './sim-world';

const AGAIN_MS = 400;
const TIMEOUT_MS = 4_000;
const POLL_MS = 200;
/** A retry that is not decided after so many looks is written once more: the same record again is the same attempt. */
const LOOKS_MAX = 20;

/** One stream with all who ever write it: the first producer, those that take over, and those that should not write any more. */
export class SimStream {
  isOpened = false;
  readonly producers: SimProducer[] = [];
  private asked = 0;

  constructor(private readonly world: SimWorld, readonly plan: StreamPlan) {}

  open(opened: () => void): void {
    this.write(this.plan.open, () => {
      this.isOpened = true;
      this.begin(1, 1);
      opened();
    });
  }

  get isOver(): boolean {
    return (this.world.oracle.table.get(this.plan.streamNo)?.final ?? null) !== null;
  }

  /** Who gives a sign of life for it. */
  beating(): { no: string; epoch: number }[] {
    return this.producers.filter(({ isCrashed, isOver }) => !isCrashed && !isOver).map(({ epoch }) => ({ no: this.plan.streamNo, epoch }));
  }

  /** The newest producer dies; it is followed by an attempt, and perhaps it only slept. */
  crashProducer(): void {
    const { random, loop, clients } = this.world;
    const producer = this.producers.at(-1);
    if (producer === undefined || producer.isCrashed || producer.isOver) return;
    this.world.note(`producer ${producer.name} stops`);
    producer.crash();
    if (random.chance(0.8)) loop.after(clients, random.between(100, 3_000), () => this.retry(random.chance(0.5) ? 'all' : 'none'));
    // Two that think they are the next: one of them wins.
    if (random.chance(0.2)) loop.after(clients, random.between(100, 3_000), () => this.retry(random.chance(0.5) ? 'all' : 'none'));
    if (random.chance(0.5)) {
      loop.after(clients, random.between(200, 6_000), () => {
        this.world.note(`producer ${producer.name} wakes`);
        producer.wake();
      });
    }
  }

  /** A producer that lost its memory writes another text under the present epoch [JUDGE-11]. */
  splice(): void {
    const current = this.producers.at(-1);
    if (current === undefined || !this.plan.hasRun || current.isOver) return;
    this.world.note(`an amnesiac writes ${this.plan.streamNo}`);
    new SimProducer(this.world, { ...this.plan, ending: 'leave', fragments: 6 }, current.epoch, 1, `${current.name}x`).start();
  }

  /** Somebody presses stop. */
  cancel(reason: string): void {
    if (!this.isOpened) return;
    this.write({ kind: 'cancel', by: 'key', reason }, () => undefined);
  }

  /** At the end nobody may wait for a producer that never comes. */
  finishUp(): void {
    if (this.isOver || !this.isOpened) return;
    const isWritten = this.producers.some((producer) => !producer.isCrashed && !producer.isOver && this.plan.ending !== 'leave');
    if (!isWritten) this.cancel('left alone');
  }

  private begin(epoch: number, first: number): void {
    const index = this.world.streams.indexOf(this);
    const producer = new SimProducer(this.world, this.plan, epoch, first, `s${index}e${epoch}`);
    this.producers.push(producer);
    producer.start();
  }

  private retry(keep: 'all' | 'none'): void {
    const value = this.world.oracle.table.get(this.plan.streamNo);
    if (this.isOver) return;
    this.asked += 1;
    const epoch = (value?.epoch ?? 1) + 1;
    const attemptId = `${epoch}-${this.asked}`;
    this.world.note(`retry of ${this.plan.streamNo}: epoch ${epoch}, keep ${keep}`);
    this.write({ kind: 'retry', epoch, attemptId, keep, reason: 'crash' }, () => this.await(epoch, attemptId, keep, 0));
  }

  /** [APPEND-8] The table says who won. */
  private await(epoch: number, attemptId: string, keep: 'all' | 'none', looks: number): void {
    const { loop, clients, oracle } = this.world;
    const attempt = oracle.table.get(this.plan.streamNo)?.attempts.find((one) => one.epoch === epoch);
    if (this.isOver) return;
    if (attempt?.attemptId === attemptId) return this.begin(epoch, attempt.firstSequence);
    if (attempt !== undefined) return;
    if (looks < LOOKS_MAX) return void loop.after(clients, POLL_MS, () => this.await(epoch, attemptId, keep, looks + 1));
    this.write({ kind: 'retry', epoch, attemptId, keep, reason: 'crash' }, () => this.await(epoch, attemptId, keep, 0));
  }

  /** Through any allocator that lives, until it is acknowledged. */
  private write(record: LogRecord, done: () => void): void {
    const { loop, clients, random, ingests } = this.world;
    const { streamNo, partition } = this.plan;
    const ingest = random.pick(ingests.filter(({ process }) => !process.isDead));
    let isSettled = false;
    const settle = (isDone: boolean, ms: number): void => void loop.after(clients, ms, () => {
      if (isSettled) return;
      isSettled = true;
      if (isDone) done();
      else loop.after(clients, random.next() * AGAIN_MS, () => this.write(record, done));
    });
    settle(false, TIMEOUT_MS);
    if (ingest === undefined) return settle(false, AGAIN_MS);
    ingest.onDeath(() => settle(false, random.next() * AGAIN_MS));
    loop.after(ingest.process, ingest.log.networkMs(), () => {
      const answer = (isDone: boolean) => (): void => settle(isDone, ingest.log.networkMs());
      ingest.writer.write(streamNo, partition, record).then(answer(true), answer(false));
    });
  }
}
