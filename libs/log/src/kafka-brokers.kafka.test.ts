import { setTimeout as elapse } from 'node:timers/promises';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { eventually } from '../../../test/support/eventually';
import { slowdown } from '../../../test/support/slowdown';
import { startLocalCluster } from '../../../tools/local-cluster.cjs';
import { KafkaClient } from './kafka-client';
import { KafkaClusterView } from './kafka-cluster-view';
import { LATEST, offsetOf } from './kafka-epoch-requests';
import { KafkaLeaders } from './kafka-leaders';
import { openKafkaLog } from './kafka-log';
import type { Appender, Log, ProducerClass } from './log';
import { assignedTo, Gatherer, plain } from './log-suite';

/** Three real brokers that die, hang and restart. Started for this file alone: the other tests keep their one broker. */
const PARTITIONS = 6;
const PACE_MS = 5;
/** What a dead or hanging broker may cost what does not depend on it. */
const OTHERS_MS_MAX = 1000;

type Cluster = Awaited<ReturnType<typeof startLocalCluster>>;
type Broker = Cluster['list'][number];
const folder = mkdtempSync(path.join(os.tmpdir(), 'rivulet-brokers-'));
let cluster: Cluster;
let brokers: string[];
let log: Log;
const traffics: Traffic[] = [];
beforeAll(async () => {
  cluster = await startLocalCluster({ folder });
  brokers = cluster.brokers.split(',');
  log = await openKafkaLog({ brokers, clientId: 'brokers-test' });
});
afterAll(async () => {
  await log?.close();
  // Asked to stop, brokers wait for each other.
  await Promise.all(cluster?.list.map((broker) => broker.kill('SIGKILL')) ?? []);
  rmSync(folder, { recursive: true, force: true });
});

afterEach(async () => { for (const traffic of traffics.splice(0)) await traffic.stop(); });

/** Appends to all partitions of a topic, one at a time each, and follows them: what was acknowledged, and the longest waits. */
class Traffic {
  readonly acknowledged: number[] = new Array<number>(PARTITIONS).fill(0);
  readonly tails = Array.from({ length: PARTITIONS }, () => new Gatherer());
  private readonly appender: Appender<string>;
  private readonly ackAt: number[] = new Array<number>(PARTITIONS).fill(0);
  private waits: number[] = new Array<number>(PARTITIONS).fill(0);
  private readonly running: Promise<void>[];
  private isStopped = false;

  private constructor(readonly topic: string, producer: ProducerClass, deadlineMs: number) {
    this.appender = log.appender(plain(topic, { deadlineMs, class: producer }));
    traffics.push(this);
    this.tails.forEach((tail, partition) => log.tail(topic, partition, 0, tail.handlers));
    this.running = this.tails.map((_, partition) => this.write(partition));
  }

  static async start(name: string, replication: number, producer: ProducerClass, deadlineMs: number): Promise<Traffic> {
    const topic = `${name}-${process.hrtime.bigint()}`;
    const settings = { 'min.insync.replicas': replication > 1 ? '2' : '1', 'message.timestamp.type': 'LogAppendTime' };
    await log.createTopics([{ topic, partitions: PARTITIONS, replication, settings }]);
    const traffic = new Traffic(topic, producer, deadlineMs);
    await traffic.untilAllGoOn();
    return traffic;
  }

  /** The longest times without an acknowledgement since the mark, ms, of these partitions. */
  longest(partitions: readonly number[]): number {
    const now = performance.now();
    return Math.round(Math.max(...partitions.map((p) => Math.max(this.waits[p]!, now - this.ackAt[p]!))));
  }

  mark(): void {
    this.waits = this.waits.map(() => 0);
  }

  async untilAllGoOn(partitions = this.tails.map((_, p) => p)): Promise<void> {
    const before = [...this.acknowledged];
    await eventually(() => { for (const p of partitions) expect(this.acknowledged[p]).toBeGreaterThan(before[p]! + 3); });
  }

  /** Stops, and reads everything back as the judge does: what is below the next one is a duplicate, what is above would be a gap. */
  async stopAndCheck(): Promise<{ duplicates: number }> {
    await this.stop();
    let duplicates = 0;
    for (let p = 0; p < PARTITIONS; p += 1) {
      // [KAFKA-27] A broker that hung answers as the leader it was, with the end it knew, until the controller has told it otherwise.
      expect((await log.bounds(this.topic, p)).end).toBeGreaterThanOrEqual(this.acknowledged[p]!);
      const stored: number[] = [];
      for (let from = 0; ;) {
        const batch = await log.scan(this.topic, p, from);
        stored.push(...batch.records.map(({ value }) => Number(String(value).slice(2))));
        from = batch.nextOffset;
        if (from >= batch.highWatermark) break;
      }
      let next = 0;
      for (const n of stored) {
        expect(n).toBeLessThanOrEqual(next);
        if (n === next) next += 1;
        else duplicates += 1;
      }
      expect(next).toBeGreaterThanOrEqual(this.acknowledged[p]!);
      await this.tails[p]!.count(stored.length);
      expect(this.tails[p]!.values().map((value) => Number(value.slice(2)))).toEqual(stored);
    }
    return { duplicates };
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all(this.running);
  }

  private async write(partition: number): Promise<void> {
    for (let n = 0; !this.isStopped;) {
      this.ackAt[partition] ||= performance.now();
      const isDurable = await this.appender.append(partition, `k:${n}`, 8).then(() => true, () => false);
      if (!isDurable) { // the same again: what the SDK does
        await elapse(PACE_MS);
        continue;
      }
      const now = performance.now();
      this.waits[partition] = Math.max(this.waits[partition]!, now - this.ackAt[partition]!);
      this.ackAt[partition] = now;
      this.acknowledged[partition] = n += 1;
      await elapse(PACE_MS);
    }
  }
}

async function leadersOf(topic: string): Promise<number[]> {
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  await admin.disconnect();
  const leaders: number[] = [];
  for (const { partitionId, leader } of topics[0]!.partitions) leaders[partitionId] = leader;
  return leaders;
}

/**
 * One broker is in trouble. Partitions with one replica elsewhere must not notice; those with three replicas wait until the controller
 * has given the broker up, because acks=all waits for every replica in sync, whoever leads.
 */
async function breakOne(what: string, harm: (broker: Broker) => Promise<void>, mend: (broker: Broker) => Promise<void>): Promise<void> {
  // Two classes: a leader answers the requests of one connection one after the other, and one of those may wait for a replica.
  const safe = await Traffic.start('safe', 3, 'bulk', 30_000);
  const single = await Traffic.start('single', 1, 'interactive', 3000);
  const leaders = await leadersOf(single.topic);
  const broker = cluster.list.find(({ node }) => node.nodeId === leaders[0])!;
  const elsewhere = leaders.flatMap((leader, p) => (leader === broker.node.nodeId ? [] : [p]));
  const here = leaders.flatMap((leader, p) => (leader === broker.node.nodeId ? [p] : []));
  expect(elsewhere.length).toBeGreaterThan(0);
  safe.mark();
  single.mark();
  await harm(broker);
  const harmedAt = performance.now();
  await safe.untilAllGoOn();
  const goneMs = performance.now() - harmedAt;
  // Also after everybody knows: retries at the broker in trouble go on.
  await single.untilAllGoOn(elsewhere);
  await eventually(() => expect(performance.now() - harmedAt).toBeGreaterThan(6000));
  const longest = { others: single.longest(elsewhere), replicated: safe.longest([0, 1, 2, 3, 4, 5]), own: single.longest(here) };
  await mend(broker);
  await single.untilAllGoOn();
  console.log(`${what}: longest wait for an acknowledgement: partitions elsewhere ${longest.others} ms, replicated ones `
    + `${longest.replicated} ms (all back after ${Math.round(goneMs)} ms), its own ${longest.own} ms`);
  const [a, b] = [await safe.stopAndCheck(), await single.stopAndCheck()];
  console.log(`${what}: ${a.duplicates + b.duplicates} duplicates`);
  expect(longest.own).toBeGreaterThan(5000); // it really was away
  expect(longest.others).toBeLessThan(OTHERS_MS_MAX * slowdown());
  expect(longest.replicated).toBeLessThan(9000 * slowdown());
}

test('[KAFKA-4] a broker killed under load: nothing acknowledged is lost or reordered, and others do not wait for it', async () => {
  await breakOne('killed', (broker) => broker.kill('SIGKILL'), (broker) => broker.restart());
});

test('[KAFKA-20] a broker that hangs: nothing acknowledged is lost or reordered, and others do not wait for it', async () => {
  await breakOne('hanging', (broker) => broker.kill('SIGSTOP'), (broker) => broker.kill('SIGCONT'));
});

test('[KAFKA-27] a leader that wakes from a hang never shows an end of the log from before, also to who did not notice the hang', async () => {
  const safe = await Traffic.start('woken', 3, 'interactive', 30_000);
  const asleep = await openKafkaLog({ brokers, clientId: 'brokers-test-asleep' });
  await Promise.all(safe.tails.map((_, p) => asleep.bounds(safe.topic, p)));
  const leaders = await leadersOf(safe.topic);
  const broker = cluster.list.find(({ node }) => node.nodeId === leaders[0])!;
  const led = leaders.flatMap((leader, p) => (leader === broker.node.nodeId ? [p] : []));
  await broker.kill('SIGSTOP');
  const stoppedAt = safe.acknowledged[led[0]!]!;
  await eventually(() => expect(safe.acknowledged[led[0]!]).toBeGreaterThan(stoppedAt + 100), 30_000);
  await broker.kill('SIGCONT');
  let asked = 0;
  for (const wokenAt = performance.now(); performance.now() - wokenAt < 5000;) {
    await Promise.all([log, asleep].flatMap((each) => led.map(async (p) => {
      const least = safe.acknowledged[p]!;
      const { end } = await each.bounds(safe.topic, p);
      expect(end).toBeGreaterThanOrEqual(least);
      const { nextOffset, records } = await each.scan(safe.topic, p, least - 1);
      expect([nextOffset, records.length > 0]).toEqual([expect.any(Number), true]);
      asked += 1;
    })));
  }
  console.log(`woken: the end of the log was asked for ${asked} times`);
  await asleep.close();
  await safe.stopAndCheck();
}, 120_000);

test('[KAFKA-12] the coordinator of the group is killed: the members end up with the partitions they had', async () => {
  const topic = `members-${process.hrtime.bigint()}`;
  await log.createTopics([{ topic, partitions: PARTITIONS, replication: 3, settings: { 'min.insync.replicas': '2' } }]);
  const groupId = `${topic}.group`;
  const members = [0, 1].map(() => assignedTo(groupId, topic));
  const others = await openKafkaLog({ brokers, clientId: 'brokers-test-2' });
  const memberships = [await log.join(members[0]!.options), await others.join(members[1]!.options)];
  await members[0]!.until(() => members[0]!.held.size === 3 && members[1]!.held.size === 3);
  const before = members.map(({ held }) => [...held].sort());

  const view = new KafkaClusterView(new KafkaClient({ brokers, clientId: 'looks' }, 'coordinator'), new KafkaLeaders());
  const { address } = await view.coordinator(groupId);
  await view.close();
  const coordinator = cluster.list.find((each) => each.address === address)!;
  let fences = 0;
  const watch = setInterval(() => { if (members.some(({ held }) => held.size === 0)) fences += 1; }, 20);
  await coordinator.kill('SIGKILL');
  const killedAt = performance.now();
  await eventually(() => { for (const { heartbeatAt } of memberships) expect(heartbeatAt).toBeGreaterThan(killedAt + 1000); });
  const silentMs = performance.now() - killedAt;
  await eventually(() => expect(members.map(({ held }) => [...held].sort())).toEqual(before));
  clearInterval(watch);
  console.log(`coordinator killed: heartbeats again after ${Math.round(silentMs)} ms, ${fences > 0 ? `given up for ${fences * 20} ms` : 'nothing given up'}`);
  expect(silentMs).toBeLessThan(12_000 * slowdown());
  await coordinator.restart();
  for (const membership of memberships) await membership.leave();
  await others.close();
});

test('[KAFKA-24] who leads a topic stays known, also when it was learned in passing with all others', async () => {
  const [asked, passing] = ['asked', 'passing'].map((name) => `${name}-${process.hrtime.bigint()}`) as [string, string];
  const create = (topic: string) => log.createTopics([{ topic, partitions: 1, replication: 3, settings: { 'min.insync.replicas': '2' } }]);
  const view = new KafkaClusterView(new KafkaClient({ brokers, clientId: 'looks' }, 'passing'), new KafkaLeaders());
  await create(passing);
  // While no topic is wanted the question is about all of them.
  await view.refresh();
  await create(asked);
  await view.addTopic(asked);
  await view.addTopic(passing);
  const before = view.leader(passing, 0);
  const leader = cluster.list.find(({ node }) => node.nodeId === before)!;
  await leader.kill('SIGKILL');
  const after = await view.untilAnswered(20_000, () => view.requestLeader(passing, 0, async (broker, leaderEpoch) => {
    await offsetOf(broker, { topic: passing, partition: 0, leaderEpoch }, LATEST);
    return view.leader(passing, 0);
  }));
  expect(after).not.toBe(before);
  await view.close();
  await leader.restart();
});

test('[KAFKA-24] a partition that has no leader is looked up again and again, not all the time, and goes on when it has one', async () => {
  const topic = `leaderless-${process.hrtime.bigint()}`;
  await log.createTopics([{ topic, partitions: 1, replication: 1, settings: {} }]);
  const [node] = await leadersOf(topic);
  const broker = cluster.list.find((each) => each.node.nodeId === node)!;
  const tail = new Gatherer();
  log.tail(topic, 0, 0, tail.handlers);
  await broker.kill('SIGKILL');
  const view = new KafkaClusterView(new KafkaClient({ brokers, clientId: 'looks' }, 'leaderless'), new KafkaLeaders());
  await view.addTopic(topic);
  await eventually(async () => {
    await view.refresh();
    expect(view.leader(topic, 0)).toBeNull();
  });
  await view.close();
  const asked = jest.spyOn(KafkaClusterView.prototype, 'refresh');
  await elapse(2_000);
  expect(asked.mock.calls.length).toBeLessThan(100);
  asked.mockRestore();
  await broker.restart();
  const appender = log.appender<string>(plain(topic, { deadlineMs: 60_000 }));
  await appender.append(0, 'k:1', 8);
  await tail.count(1);
  await appender.close();
});

test('[KAFKA-26] brokers restarted one by one: nothing acknowledged is lost or reordered, and nobody waits for long', async () => {
  const safe = await Traffic.start('rolling', 3, 'interactive', 30_000);
  safe.mark();
  for (const broker of cluster.list) {
    await broker.stop();
    await broker.restart();
    await safe.untilAllGoOn();
  }
  const longest = safe.longest([0, 1, 2, 3, 4, 5]);
  console.log(`restarted one by one: longest wait for an acknowledgement ${longest} ms`);
  await safe.stopAndCheck();
  expect(longest).toBeLessThan(9000 * slowdown());
});
