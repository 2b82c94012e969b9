import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { topicSpecs } from '@rivulet/log';
import { topicNames } from '@rivulet/protocol';
import type { LifecycleValue, OwnerValue, TopicNames } from '@rivulet/protocol';
import { listOf, metadata, ms, orNull, reference, shape, status, streamNo, text, whole } from './openapi-schemas';
import type { Node } from './openapi-schemas';

type Topic = keyof TopicNames;
const PREFIX_DEFAULT = 'rivulet';
const version: Node = { ...listOf({ type: 'integer' }), minItems: 3, maxItems: 3, description: '(claim, folded offset, n-th value there): the highest counts, never the last.' };

/** @returns a schema of libs/protocol/proto as a payload */
export function protobuf(name: 'log' | 'watch'): Node {
  const folder = join(dirname(require.resolve('@rivulet/protocol')), '..', 'proto');
  return { schemaFormat: 'application/vnd.google.protobuf;version=3', schema: readFileSync(join(folder, `${name}.proto`), 'utf8') };
}

const lifecycle: { [Name in keyof Required<LifecycleValue>]: Node } = {
  version, streamNo, status, open: { type: 'object', description: 'The `open` record.', properties: { channel: text, contentType: text, metadata } },
  openedAt: ms, openedOffset: whole, epoch: whole, writerRun: text, sequence: whole, bytes: whole, checksum: whole, updatedAt: ms,
  attempts: listOf(reference('Attempt')), verdicts: listOf(reference('Verdict')), final: orNull(reference('FinalFacts')),
  checkpoint: shape({ offset: whole, state: { description: 'State of the judge; its own business.' } }),
  positions: listOf({ type: 'object', description: 'Where a cold read may start.' }),
};
const owner: { [Name in keyof OwnerValue]: Node } = { version, instance: text, address: text, replayFrom: whole, logId: text };

interface Message { key: string; summary: string; payload: Node; contentType: string; headers?: Node }
const MESSAGES: Record<Topic, Record<string, Message>> = {
  fragments: {
    LogRecord: { key: 'The streamNo, or `#beat`.', summary: 'Every fact about a stream.', payload: protobuf('log'), contentType: 'application/x-protobuf' },
  },
  lifecycle: {
    LifecycleValue: {
      key: 'The streamNo.', summary: 'What everyone may know of a stream, and the checkpoint of its owner. No value: removed.', contentType: 'application/json',
      payload: shape(lifecycle, ['writerRun', 'checkpoint']),
    },
    OwnerValue: { key: '`#owner`.', summary: 'Who writes this partition.', contentType: 'application/json', payload: shape(owner) },
  },
  cursors: {
    AttachedValue: {
      key: '`streamNo/attached/session`.', summary: 'Which connection has the name: the one whose first record is the newest.', contentType: 'application/json',
      payload: shape({ connection: text }),
    },
    ConfirmedValue: {
      key: '`streamNo/confirmed/session`.', summary: 'What a named session has. The furthest cursor counts, not the last.', contentType: 'application/json',
      payload: shape({ cursor: text, at: { type: 'integer', description: 'When it was confirmed first, if not with this record; ms.' } }, ['at']),
    },
  },
  requests: {
    PluginRequest: {
      key: 'The streamNo of the answer.', summary: 'What a plugin is asked. No value: it is answered.', contentType: 'application/json',
      payload: shape({ streamNo, plugin: text, channel: text, input: {}, inReplyTo: text, by: text, at: ms }, ['input', 'inReplyTo']),
    },
    BoundDone: {
      key: '`streamNo#hook/plugin`, of a bound stream.', summary: 'That it was done, and what came of it. No value: the stream was removed.', contentType: 'application/json',
      payload: shape({ outcome: text, at: ms }),
    },
  },
  plugins: {
    PluginReport: {
      key: 'host/plugin', summary: 'What a host says of a plugin. No value: it is gone.', contentType: 'application/json',
      payload: shape({
        kind: { const: 'plugin' }, host: text, plugin: text, version: text, digest: text, state: text, fault: orNull({ type: 'object' }), restarts: whole,
        at: ms, hooks: listOf(text), stream: orNull({ type: 'object' }), packageDigest: text, config: text,
      }),
    },
    PluginHostReport: {
      key: 'host/#host', summary: 'Proof of life of a host.', contentType: 'application/json',
      payload: shape({ kind: { const: 'host' }, host: text, instance: text, at: ms, reportMs: whole, partitions: listOf(whole), answering: whole, answers: listOf({ type: 'object' }) }),
    },
    PluginDesired: {
      key: 'desired/plugin', summary: 'What is to run of a plugin on every host. The highest (change, step) counts, of equals the first.', contentType: 'application/json',
      payload: shape({
        kind: { const: 'desired' }, plugin: text, change: whole, step: whole, id: text, of: text, isEnabled: { type: 'boolean' },
        current: orNull({ type: 'object' }), previous: orNull({ type: 'object' }), rollout: orNull({ type: 'object' }), refused: orNull({ type: 'object' }), by: text, at: ms,
      }),
    },
    PluginPackage: {
      key: 'package/digest', summary: 'A package whose parts are all written. No value: nothing refers to it any more.', contentType: 'application/json',
      payload: shape({
        kind: { const: 'package' }, name: text, version: text, digest: text, bytes: whole, parts: whole, tree: text, files: whole, unpackedBytes: whole, at: ms,
      }),
    },
    PluginPackagePart: {
      key: 'package/digest/part, from 0', summary: 'Bytes of a package, at most 512 kB.', contentType: 'application/octet-stream', payload: {},
    },
    PluginStoredConfig: {
      key: 'config/plugin', summary: 'Configuration of a plugin, each secret encrypted. No value: none.', contentType: 'application/json',
      payload: shape({ kind: { const: 'config' }, plugin: text, settings: {}, secrets: listOf(text), id: text, by: text, at: ms }),
    },
  },
  deadletters: {
    DeadLetter: {
      key: 'That of the record.', summary: 'The bytes of a record nobody can read.', contentType: 'application/octet-stream', payload: {},
      headers: shape({ reason: text, topic: text, partition: text, offset: text }),
    },
  },
};

export const topicMessages = (): Node => Object.fromEntries(Object.values(MESSAGES).flatMap((messages) => Object.entries(messages).map(
  ([name, { key, summary, payload, contentType, headers }]) => [name, {
    name, title: name, summary, contentType, payload, ...(headers === undefined ? {} : { headers }),
    bindings: { kafka: { key: { type: 'string', description: key }, bindingVersion: '0.5.0' } },
  }],
)));

/** One channel for each topic, from what the services create. */
export function topicChannels(): Node {
  const names = topicNames(PREFIX_DEFAULT);
  const specs = topicSpecs(names, { interactive: 1, bulk: 1, replication: 1, minInsync: 1 });
  return Object.fromEntries((Object.keys(names) as Topic[]).map((topic) => {
    const { settings } = specs.find((spec) => spec.topic === names[topic])!;
    const topicConfiguration = { 'cleanup.policy': settings['cleanup.policy']!.split(','), 'retention.ms': Number(settings['retention.ms']) };
    return [topic, {
      address: `{prefix}.${topic}`, title: `Topic ${names[topic]}`, servers: [{ $ref: '#/servers/kafka' }],
      parameters: { prefix: { default: PREFIX_DEFAULT, description: 'RIVULET_TOPIC_PREFIX' } },
      messages: Object.fromEntries(Object.keys(MESSAGES[topic]).map((name) => [name, { $ref: `#/components/messages/${name}` }])),
      bindings: { kafka: { topic: names[topic], topicConfiguration, bindingVersion: '0.5.0' } },
    }];
  }));
}
