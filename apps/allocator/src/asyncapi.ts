import { SUBPROTOCOLS } from '@rivulet/protocol';
import { frameMessages } from './asyncapi-messages';
import { protobuf, topicChannels, topicMessages } from './asyncapi-topics';
import { schemas, streamNo } from './openapi-schemas';
import type { Node } from './openapi-schemas';

const refTo = (place: string, names: readonly string[]): Node[] => names.map((name) => ({ $ref: `#/${place}/${name}` }));
const refsOf = (names: readonly string[]): Node => Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }]));

/** On the Protobuf subprotocol all frames are one message each way. */
const PROTO = {
  'WatchRequest.proto': { name: 'WatchRequest', title: `WatchRequest under ${SUBPROTOCOLS.proto}`, contentType: 'application/x-protobuf', payload: protobuf('watch') },
  'WatchReply.proto': { name: 'WatchReply', title: `WatchReply under ${SUBPROTOCOLS.proto}`, contentType: 'application/x-protobuf', payload: protobuf('watch') },
};

interface Wire { address: string; title: string; description: string; server: 'http' | 'ws'; requests: string[]; replies: string[]; parameters?: Node }

/** Sockets, event streams and topics: AsyncAPI 3. Compared with the types of libs/protocol by test/repo/asyncapi.test.ts. */
export function asyncApi(): Node {
  const messages: Node = { ...frameMessages(), ...PROTO, ...topicMessages() };
  const of = (group: string): string[] => Object.keys(messages).filter((name) => name.startsWith(`${group}.`));
  const events = { server: 'http', requests: [], replies: of('Event') } as const;
  const wires: Record<string, Wire> = {
    watchSocket: {
      address: '/v1/watch/ws', title: 'Watch', server: 'ws', requests: of('WatchRequest'), replies: of('WatchReply'),
      description: `Many streams and channels on one socket. Sec-WebSocket-Protocol ${SUBPROTOCOLS.json} (also without one): JSON text; ${SUBPROTOCOLS.proto}: Protobuf.`,
    },
    produceSocket: {
      address: '/v1/streams/ws', title: 'Produce', server: 'ws', requests: of('ProduceRequest'), replies: of('ProduceReply'),
      description: `Many streams on one socket, JSON text (Sec-WebSocket-Protocol ${SUBPROTOCOLS.json}, or none).`,
    },
    streamEvents: {
      ...events, address: '/v1/watch/{no}/events', title: 'Events of a stream', requests: [],
      description: 'Server-sent events: `event:` is the name of the message, `data:` its payload, `id:` its cursor.',
      parameters: { no: { description: String(streamNo['description']) } },
    },
    channelEvents: {
      ...events, address: '/v1/watch/channels/{channel}/events', title: 'Events of a channel', requests: [],
      description: 'Server-sent events of every stream of a channel, present and future, told apart by streamNo.',
      parameters: { channel: { description: 'Its name.' } },
    },
  };
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Rivulet', version: '1', license: { name: 'Apache-2.0' },
      description: 'Sockets and event streams of Rivulet, and its topics in Kafka. HTTP calls are in /openapi.json.',
    },
    defaultContentType: 'application/json',
    servers: {
      http: { host: '127.0.0.1:7100', protocol: 'http', description: 'The one origin of an installation (RIVULET_PUBLIC_URL).' },
      ws: { host: '127.0.0.1:7100', protocol: 'ws', description: 'The same.' },
      kafka: { host: '127.0.0.1:9092', protocol: 'kafka', description: 'KAFKA_BROKERS' },
    },
    channels: { ...Object.fromEntries(Object.entries(wires).map(([name, wire]) => [name, channelOf(wire)])), ...topicChannels() },
    operations: Object.fromEntries(Object.entries(wires).flatMap(([name, wire]) => operationsOf(name, wire))),
    components: { messages, schemas },
  };
}

function channelOf({ address, title, description, server, requests, replies, parameters }: Wire): Node {
  return {
    address, title, description, servers: [{ $ref: `#/servers/${server}` }], ...(parameters === undefined ? {} : { parameters }),
    messages: refsOf([...requests, ...replies]),
  };
}

/** As the services do them: they receive requests and send replies. */
function operationsOf(name: string, { title, requests, replies }: Wire): [string, Node][] {
  const operation = (action: 'receive' | 'send', messages: readonly string[]): [string, Node][] => (messages.length === 0 ? [] : [[`${name}.${action}`, {
    action, title, channel: { $ref: `#/channels/${name}` }, messages: refTo(`channels/${name}/messages`, messages),
  }]]);
  return [...operation('receive', requests), ...operation('send', replies)];
}
