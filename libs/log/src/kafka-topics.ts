import { ConfigResourceTypes } from 'kafkajs';
import type { Admin } from 'kafkajs';
import type { KafkaLogger } from './kafka-client';
import type { TopicSpec } from './log';

/**
 * Creates the topics that are missing and says where those that exist differ. Nothing that exists is altered: alterConfigs resets
 * whatever it is not told [KAFKA-22], and an operator may have had reasons.
 * @returns what was created
 */
export async function createTopics(admin: Admin, specs: TopicSpec[], logger?: KafkaLogger): Promise<TopicSpec[]> {
  const created: TopicSpec[] = [];
  // One by one, and without a list of what exists: kafkajs rejects that list while any topic of the cluster is being created or deleted.
  for (const spec of specs) {
    const { topic, partitions } = spec;
    const configEntries = Object.entries(spec.settings).map(([name, value]) => ({ name, value }));
    const isNew = await admin.createTopics({
      waitForLeaders: true,
      timeout: 10_000,
      topics: [{ topic, numPartitions: partitions, replicationFactor: spec.replication, configEntries }],
    });
    if (!isNew) continue;
    created.push(spec);
    logger?.info({ topic, partitions }, 'topic created');
  }
  await warnOfDifferences(admin, specs.filter((spec) => !created.includes(spec)), logger);
  return created;
}

async function warnOfDifferences(admin: Admin, specs: TopicSpec[], logger?: KafkaLogger): Promise<void> {
  if (specs.length === 0 || !logger) return;
  const { topics } = await admin.fetchTopicMetadata({ topics: specs.map((spec) => spec.topic) });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: specs.map((spec) => ({ type: ConfigResourceTypes.TOPIC, name: spec.topic, configNames: Object.keys(spec.settings) })),
  });
  for (const spec of specs) {
    const partitions = topics.find((topic) => topic.name === spec.topic)?.partitions.length;
    if (partitions !== undefined && partitions !== spec.partitions) {
      const facts = { topic: spec.topic, wanted: spec.partitions, found: partitions };
      logger.warn(facts, 'the topic has another number of partitions; streams outside of them are refused');
    }
    const entries = resources.find((resource) => resource.resourceName === spec.topic)?.configEntries ?? [];
    for (const { configName, configValue } of entries) {
      const wanted = spec.settings[configName];
      if (wanted === undefined || sameSetting(wanted, configValue)) continue;
      logger.warn({ topic: spec.topic, setting: configName, wanted, found: configValue }, 'the topic is set differently; it was left alone');
    }
  }
}

/** Lists like `compact,delete` come back in any order. */
const sameSetting = (a: string, b: string): boolean => a.split(',').sort().join() === b.split(',').sort().join();
