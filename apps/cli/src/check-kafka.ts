import { StreamError, topicNames } from '@rivulet/protocol';
import type { TopicReport, TopicSpec } from '@rivulet/log';
import type { Check } from './check';
import type { KafkaPlace } from './settings';

/** Longer than wanted does no harm. */
const AT_LEAST = new Set(['retention.ms', 'retention.bytes', 'max.message.bytes', 'delete.retention.ms']);

/**
 * The topics as they are against what libs/log makes. Replication is the operator's: only what contradicts itself, or the cluster, is
 * found.
 */
export async function checkKafka(check: Check, { brokers, topicPrefix }: KafkaPlace): Promise<void> {
  const { reportTopics, topicSpecs } = await import('@rivulet/log');
  const names = topicNames(topicPrefix);
  const counts = { interactive: 1, bulk: 1, replication: 1, minInsync: 1 };
  const specs = topicSpecs(names, counts);
  const report = await reportTopics({ brokers, clientId: 'rivulet-doctor' }, specs.map(({ topic }) => topic)).catch((error: unknown) => {
    const known = error instanceof StreamError ? error : null;
    if (known === null) throw error;
    check.found('KAFKA_UNREACHABLE', known.details.detail ?? known.code, 'Start it, or correct --brokers; where the address is right, its advertised.listeners must be reachable from here too.');
    return null;
  });
  if (report === null) return;
  check.saw(`Kafka answers, ${report.brokers} ${report.brokers === 1 ? 'broker' : 'brokers'}`);
  const fragments = report.topics.find(({ topic }) => topic === names.fragments);
  for (const topic of report.topics) {
    const spec = specs.find((one) => one.topic === topic.topic)!;
    if (!topic.isThere) {
      check.found('TOPIC_MISSING', `There is no topic ${topic.topic}.`, topic === fragments
        ? 'Start an allocator with RIVULET_CREATE_TOPICS=on, or check --topic-prefix.' : 'Start an allocator with RIVULET_CREATE_TOPICS=on: it makes what is missing.');
      continue;
    }
    checkSettings(check, topic, spec, brokers);
    checkReplicas(check, topic, report.brokers, brokers);
    // [NO-1] A stream has the same partition number in all of them.
    const isShared = topic.topic !== names.deadletters && [names.lifecycle, names.cursors].includes(topic.topic);
    if (isShared && fragments?.isThere && topic.partitions !== fragments.partitions) {
      check.found('TOPIC_PARTITIONS', `${topic.topic} has ${topic.partitions} partitions and ${fragments.topic} has ${fragments.partitions}; a stream lives in the same one of both.`,
        `Set both to ${Math.max(topic.partitions, fragments.partitions)} (kafka-topics --alter --topic ${topic.partitions < fragments.partitions ? topic.topic : fragments.topic} --partitions …), with RIVULET_PARTITIONS_* to match.`);
    }
  }
  if (fragments?.isThere) check.saw(`${fragments.partitions} partitions, ${fragments.replicas} ${fragments.replicas === 1 ? 'replica' : 'replicas'} each`);
}

function checkSettings(check: Check, topic: TopicReport, spec: TopicSpec, brokers: string[]): void {
  for (const [name, wanted] of Object.entries(spec.settings)) {
    const found = topic.settings[name];
    if (name === 'min.insync.replicas' || found === undefined || isAsWanted(name, found, wanted)) continue;
    check.found('TOPIC_SETTING', `${topic.topic} has ${name}=${found}; it should be ${wanted}.`,
      `kafka-configs --bootstrap-server ${brokers[0]} --alter --entity-type topics --entity-name ${topic.topic} --add-config ${name}=${wanted.includes(',') ? `[${wanted}]` : wanted}`);
  }
}

function isAsWanted(name: string, found: string, wanted: string): boolean {
  if (AT_LEAST.has(name)) return Number(found) === -1 || (Number(wanted) !== -1 && Number(found) >= Number(wanted));
  // Brokers give numbers in their own spelling, and lists in any order.
  if (!Number.isNaN(Number(wanted))) return Number(found) === Number(wanted);
  return found.split(',').sort().join() === wanted.split(',').sort().join();
}

function checkReplicas(check: Check, topic: TopicReport, brokerCount: number, brokers: string[]): void {
  const { topic: name, replicas, inSync, leaderless } = topic;
  const minInsync = Number(topic.settings['min.insync.replicas'] ?? 1);
  if (leaderless.length > 0) {
    check.found('TOPIC_LEADERLESS', `Partitions ${leaderless.join(', ')} of ${name} have no leader: nothing of them can be read or written.`, 'Bring the brokers back that hold them (kafka-topics --describe --unavailable-partitions names them).');
  } else if (inSync < minInsync) {
    check.found('TOPIC_NOT_IN_SYNC', `A partition of ${name} has ${inSync} replicas in sync and needs ${minInsync}: appends are refused.`, 'Bring the missing brokers back (kafka-topics --describe --under-min-isr-partitions names the partitions).');
  } else if (minInsync > replicas || (minInsync === replicas && replicas > 1)) {
    check.found('TOPIC_MIN_INSYNC', `${name} has min.insync.replicas=${minInsync} with ${replicas} replicas: one broker less stops all appends.`, setMinInsync(name, brokers, replicas - 1));
  } else if (replicas >= 3 && minInsync < 2) {
    check.found('TOPIC_MIN_INSYNC', `${name} has ${replicas} replicas, but min.insync.replicas=${minInsync}: what one broker acknowledged alone is lost with it.`, setMinInsync(name, brokers, 2));
  } else if (brokerCount >= 3 && replicas < 2) {
    check.found('TOPIC_REPLICATION', `${name} has one replica on a cluster of ${brokerCount} brokers: a disk that fails takes its streams.`, 'Reassign it to three replicas (kafka-reassign-partitions), and set RIVULET_REPLICATION=3 and RIVULET_MIN_INSYNC=2.');
  }
}

const setMinInsync = (topic: string, brokers: string[], count: number): string =>
  `kafka-configs --bootstrap-server ${brokers[0]} --alter --entity-type topics --entity-name ${topic} --add-config min.insync.replicas=${count}`;
