import { readFileSync } from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv';
import ts from 'typescript';
import { asyncApi } from '@rivulet/allocator';
import { topicSpecs } from '@rivulet/log';
import { topicNames } from '@rivulet/protocol';

type Node = Record<string, unknown>;
interface Payload { properties: Node; required?: string[]; $ref?: string }
interface Document { channels: Record<string, Node & { address: string }>; components: { messages: Record<string, { payload: Payload }> } }
const document = asyncApi() as unknown as Document;
/** Of a group of messages: their types with their payloads, the Protobuf ones left out. */
const messagesOf = (group: string): [string, Payload][] => Object.entries(document.components.messages)
  .filter(([name]) => name.startsWith(`${group}.`) && !name.endsWith('.proto'))
  .map(([name, { payload }]) => [name.slice(group.length + 1), payload]);

test('the AsyncAPI document is valid against the schema of AsyncAPI 3.0', () => {
  const specification = JSON.parse(readFileSync(require.resolve('@asyncapi/specs/schemas/3.0.0-without-$id.json'), 'utf8')) as object;
  const validate = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(specification);
  validate(document);
  expect(validate.errors ?? []).toEqual([]);
});

test('what it refers to is there', () => {
  const text = JSON.stringify(document);
  const references = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, place]) => place!);
  const at = (place: string): unknown => place.split('/').reduce<unknown>((node, name) => (node as Node | undefined)?.[name], document);
  const missing = references.filter((place) => at(place) === undefined);
  expect([references.length > 100, [...new Set(missing)]]).toEqual([true, []]);
});

interface Member { names: Set<string>; required: Set<string> }
/** The members of a union of wire.ts by `type`: names of their properties, and of those that are always there. */
function membersOf(union: string): Map<string, Member> {
  const symbol = checker.getExportsOfModule(checker.getSymbolAtLocation(wire)!).find(({ name }) => name === union)!;
  const declared = checker.getDeclaredTypeOfSymbol(symbol);
  const members = new Map<string, Member>();
  for (const one of declared.isUnion() ? declared.types : [declared]) {
    const properties = checker.getPropertiesOfType(one).filter(({ name }) => !name.startsWith('__'));
    const type = checker.getTypeOfSymbol(properties.find(({ name }) => name === 'type')!) as ts.StringLiteralType;
    const names = new Set(properties.map(({ name }) => name));
    const required = new Set(properties.filter(({ flags }) => (flags & ts.SymbolFlags.Optional) === 0).map(({ name }) => name));
    const before = members.get(type.value);
    members.set(type.value, before === undefined ? { names, required } : {
      names: new Set([...before.names, ...names]), required: new Set([...before.required].filter((name) => required.has(name))),
    });
  }
  return members;
}
const file = path.join(__dirname, '..', '..', 'libs', 'protocol', 'src', 'wire.ts');
const program = ts.createProgram([file], { strict: true, target: ts.ScriptTarget.ES2022, skipLibCheck: true });
const checker = program.getTypeChecker();
const wire = program.getSourceFile(file)!;

const UNIONS = ['WatchRequest', 'WatchReply', 'ProduceRequest', 'ProduceReply'];
test.each(UNIONS)('its %s has the types of the one in libs/protocol, each with the same members', (union) => {
  const sorted = (names: Iterable<string>, required: Iterable<string>): string[][] => [[...names].sort(), [...required].sort()];
  const described = messagesOf(union).map(([type, { properties, required }]) => [type, sorted(Object.keys(properties), required!)]);
  const typed = [...membersOf(union)].map(([type, { names, required }]) => [type, sorted(names, required)]);
  expect(Object.fromEntries(described)).toEqual(Object.fromEntries(typed));
});

test('its events are those of the sockets, and trouble', () => {
  const typesOf = (group: string): string[] => messagesOf(group).map(([type]) => type);
  const answers = ['ready', 'cancelled', 'confirmed'];
  expect(typesOf('Event').sort()).toEqual([...typesOf('WatchReply').filter((type) => !answers.includes(type)), 'unavailable'].sort());
});

test('its topics are those the services create, with their settings', () => {
  const specs = topicSpecs(topicNames('rivulet'), { interactive: 1, bulk: 1, replication: 1, minInsync: 1 });
  const kafka = Object.values(document.channels).filter(({ address }) => address.startsWith('{prefix}.'));
  expect(kafka.map(({ address }) => address.replace('{prefix}', 'rivulet')).sort()).toEqual(specs.map(({ topic }) => topic).sort());
  for (const { topic, settings } of specs) {
    const channel = kafka.find(({ address }) => address === topic.replace('rivulet', '{prefix}'))!;
    const { topicConfiguration } = (channel['bindings'] as { kafka: { topicConfiguration: Node } }).kafka;
    const { 'cleanup.policy': policy, 'retention.ms': retentionMs } = settings;
    expect(topicConfiguration).toEqual({ 'cleanup.policy': policy!.split(','), 'retention.ms': Number(retentionMs) });
  }
});
