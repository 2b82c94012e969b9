import { choiceRow, integerRow, listRow, RowProblem, textRow, urlRow } from './config-row';
import type { ConfigOf } from './config-row';
import { ANY_KEY, quotaRow } from './quota-row';
import type { QuotaTable } from './quota-row';

export const ROLES = ['producer', 'operator', 'viewer'] as const;
export type Role = (typeof ROLES)[number];
export interface ApiKeyRow { id: string; role: Role; sha256Hex: string }

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

const onKafka = (values: Readonly<Record<string, unknown>>): boolean => values['log'] === 'kafka';
const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0;
const needed = (key: string, remedy: string) => (values: Readonly<Record<string, unknown>>) =>
  onKafka(values) && (isEmpty(values[key]) || values[key] === '') ? `is not set; ${remedy}` : null;

function hexKey(text: string): Uint8Array {
  if (!/^([0-9a-f]{2}){32,}$/i.test(text)) throw new RowProblem('has a key that is not at least 64 hex characters; make one with `openssl rand -hex 32`');
  return new Uint8Array(Buffer.from(text, 'hex'));
}

function apiKey(text: string): ApiKeyRow {
  const [id = '', role, sha256Hex = '', ...rest] = text.split(':');
  const known = ROLES.find((one) => one === role);
  if (!/^[a-z0-9-]{1,32}$/i.test(id) || !known || !/^[0-9a-f]{64}$/i.test(sha256Hex) || rest.length > 0) {
    throw new RowProblem('has an entry that is not id:role:sha256hex (role producer, operator or viewer; sha256 of the whole key rk_<id>_<secret>)');
  }
  return { id, role: known, sha256Hex: sha256Hex.toLowerCase() };
}

function origin(text: string): string {
  if (text === '*') return text;
  if (!URL.canParse(text) || new URL(text).origin !== text) throw new RowProblem(`has ${JSON.stringify(text)}; an origin is scheme://host[:port] without a path, or *`);
  return text;
}

const hostAndPort = (what: string) => (text: string): string => {
  if (!/^[^\s:/]+:\d{1,5}$|^\[[0-9a-f:]+\]:\d{1,5}$/i.test(text)) throw new RowProblem(`has ${JSON.stringify(text)}; ${what} is host:port`);
  return text;
};

/** Of two keys with one id only the last would work: a rotation that locks somebody out without a word. */
function apiKeysProblem(values: Readonly<Record<string, unknown>>): string | null {
  if (values['auth'] !== 'on') return null;
  const ids = (values['apiKeys'] as readonly ApiKeyRow[]).map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) return `has two keys with the id ${twice}; give each its own (ops-1, ops-2)`;
  return needed('apiKeys', 'give at least one key, e.g. ops:operator:$(printf %s rk_ops_SECRET | sha256sum | cut -c1-64)')(values);
}

/** A quota of a key that is misspelt would limit nobody, and nobody would notice. */
function quotasProblem(values: Readonly<Record<string, unknown>>): string | null {
  const ids = (values['apiKeys'] as readonly ApiKeyRow[]).map(({ id }) => id);
  const unknown = (values['quotas'] as QuotaTable).keys.find((key) => key !== ANY_KEY && !ids.includes(key));
  return unknown === undefined ? null : `names the key ${unknown}, which RIVULET_API_KEYS does not have; there ${ids.length === 0 ? 'is none' : `are ${ids.join(', ')}`} (and *)`;
}

/** Rows every process takes. */
export const serviceRows = {
  log: choiceRow({ env: 'RIVULET_LOG', choices: ['kafka', 'memory'], fallback: 'kafka', doc: 'Where the log is. `memory` is for first looks and tests: nothing is durable.' }),
  kafkaBrokers: listRow({ env: 'KAFKA_BROKERS', entry: 'host:port', countMax: 32, parseEntry: hostAndPort('a broker'), doc: 'Kafka brokers to start from.',
    check: needed('kafkaBrokers', 'name at least one broker, e.g. localhost:9092, or set RIVULET_LOG=memory') }),
  topicPrefix: textRow({ env: 'RIVULET_TOPIC_PREFIX', fallback: 'rivulet', pattern: /^[a-zA-Z0-9_-]{1,64}$/, range: '1 to 64 of a-z A-Z 0-9 _ -', doc: 'First part of all topic names and of the consumer group, so that installations can share a Kafka.' }),
  createTopics: choiceRow({ env: 'RIVULET_CREATE_TOPICS', choices: ['on', 'off'], fallback: 'on', doc: 'Whether topics that are missing are created at the start, with every setting explicit.' }),
  partitionsInteractive: integerRow({ env: 'RIVULET_PARTITIONS_INTERACTIVE', fallback: 24, min: 1, max: 4096, doc: 'Partitions of class interactive (the first ones). Fixed once the topics exist.' }),
  partitionsBulk: integerRow({ env: 'RIVULET_PARTITIONS_BULK', fallback: 8, min: 1, max: 4096, doc: 'Partitions of class bulk (after the interactive ones). Fixed once the topics exist.' }),
  replication: integerRow({ env: 'RIVULET_REPLICATION', fallback: 1, min: 1, max: 15, doc: 'Replication factor of topics that are created. 3 in production.' }),
  minInsync: integerRow({ env: 'RIVULET_MIN_INSYNC', fallback: 1, min: 1, max: 15, doc: 'min.insync.replicas of topics that are created. 2 with replication 3.',
    check: (values) => ((values['minInsync'] as number) > (values['replication'] as number) ? 'is above RIVULET_REPLICATION, so nothing could be written; lower it' : null) }),
  host: textRow({ env: 'RIVULET_HOST', fallback: '127.0.0.1', pattern: /^[^\s/]{1,253}$/, range: 'an address or host name', doc: 'Address that ports are bound to.' }),
  publicUrl: urlRow({ env: 'RIVULET_PUBLIC_URL', fallback: 'http://127.0.0.1:7100', doc: 'The one origin users see; links in answers start with it.' }),
  allocatorGrpcAddresses: listRow({ env: 'RIVULET_ALLOCATOR_GRPC_ADDRESS', entry: 'host:port', countMax: 32, fallbackText: '127.0.0.1:7111', parseEntry: hostAndPort('an address of the allocator'),
    doc: 'Where the others reach the gRPC of the allocators. Calls take turns among all of them; a DNS name may stand for several.',
    check: (values) => (isEmpty(values['allocatorGrpcAddresses']) ? 'names no address; give host:port' : null) }),
  auth: choiceRow({ env: 'RIVULET_AUTH', choices: ['on', 'off'], fallback: 'on', doc: 'Whether credentials are required. `off` only on a loopback address.',
    check: (values) => (values['auth'] === 'off' && !isLoopback(values['host'] as string)
      ? 'is off while RIVULET_HOST is not a loopback address, which would let everyone in; set it to on, or RIVULET_HOST to 127.0.0.1' : null) }),
  apiKeys: listRow({ env: 'RIVULET_API_KEYS', entry: 'id:role:sha256hex', countMax: 256, isSecret: true, parseEntry: apiKey, doc: 'API keys: role producer, operator or viewer; SHA-256 of the whole key `rk_<id>_<secret>`.',
    check: apiKeysProblem }),
  quotas: quotaRow({ env: 'RIVULET_QUOTAS', doc: 'Quotas per API key, e.g. `app:openStreams=1000,opensPerSecond=50,bytesPerSecond=1048576,fragmentsPerSecond=5000;*:openStreams=100`. `*`: every key without an entry of its own; `app:unlimited` exempts one. Rates hold per process. None: unlimited.',
    check: quotasProblem }),
  streamNoKeys: listRow({ env: 'RIVULET_STREAM_NO_KEYS', entry: 'hex keys', countMax: 2, isSecret: true, parseEntry: hexKey, doc: 'Keys of the streamNo check: the first issues, all verify (rotation). The same in every process.',
    check: needed('streamNoKeys', 'make a key with `openssl rand -hex 32` and give all processes the same') }),
  tokenKeys: listRow({ env: 'RIVULET_TOKEN_KEYS', entry: 'hex keys', countMax: 2, isSecret: true, parseEntry: hexKey, doc: 'Keys of the stream tokens (HS256): the first signs, all verify (rotation). The same in every process.',
    check: needed('tokenKeys', 'make a key with `openssl rand -hex 32` and give all processes the same') }),
  serviceToken: textRow({ env: 'RIVULET_SERVICE_TOKEN', fallback: '', pattern: /^[\x21-\x7e]{16,256}$/, range: '16 to 256 printable characters', isSecret: true, doc: 'What our processes show each other on gRPC. The same in every process.',
    check: needed('serviceToken', 'make one with `openssl rand -hex 32` and give all processes the same') }),
  serviceTokenOther: textRow({ env: 'RIVULET_SERVICE_TOKEN_OTHER', fallback: '', pattern: /^[\x21-\x7e]{16,256}$/, range: '16 to 256 printable characters', isSecret: true, doc: 'A second service token that is accepted too, never shown: the next one, then the last one, while they are exchanged (rotation).' }),
  corsOrigins: listRow({ env: 'RIVULET_CORS_ORIGINS', entry: 'origins', countMax: 64, parseEntry: origin, doc: 'Web origins whose pages may call (CORS, and the Origin of WebSockets) beside our own. `*`: any.' }),
  logLevel: choiceRow({ env: 'RIVULET_LOG_LEVEL', choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], fallback: 'info', doc: 'Least severe level that is logged. Single requests are logged at debug.' }),
  drainMsMax: integerRow({ env: 'RIVULET_DRAIN_MS_MAX', fallback: 10_000, min: 100, max: 600_000, doc: 'How long a stop may take, ms; what is not done then is cut off.' }),
  sessionTimeoutMs: integerRow({ env: 'RIVULET_SESSION_TIMEOUT_MS', fallback: 3_000, min: 500, max: 300_000, doc: 'A member without a heartbeat for this long loses its partitions, ms. Not below the broker\'s group.min.session.timeout.ms.' }),
  heartbeatMs: integerRow({ env: 'RIVULET_HEARTBEAT_MS', fallback: 500, min: 50, max: 60_000, doc: 'Time between heartbeats of group members, ms.',
    check: (values) => ((values['heartbeatMs'] as number) * 3 > (values['sessionTimeoutMs'] as number)
      ? 'is above a third of RIVULET_SESSION_TIMEOUT_MS, so one late heartbeat would lose partitions; lower it' : null) }),
  headersMsMax: integerRow({ env: 'RIVULET_HEADERS_MS_MAX', fallback: 10_000, min: 100, max: 300_000, doc: 'A request whose headers take longer is answered 408, ms.' }),
  bodyMsMax: integerRow({ env: 'RIVULET_BODY_MS_MAX', fallback: 30_000, min: 100, max: 600_000, doc: 'A JSON body that takes longer is answered BODY_TIMEOUT, ms.' }),
  connectionIdleMsMax: integerRow({ env: 'RIVULET_CONNECTION_IDLE_MS_MAX', fallback: 75_000, min: 1_000, max: 3_600_000, doc: 'A connection on which nothing moves either way for this long is closed, ms. Streams send keep-alives more often.' }),
  connectionsMax: integerRow({ env: 'RIVULET_CONNECTIONS_MAX', fallback: 20_000, min: 1, max: 1_000_000, doc: 'Connections a process takes at once.' }),
  jsonBodyBytesMax: integerRow({ env: 'RIVULET_JSON_BODY_BYTES_MAX', fallback: 2_097_152, min: 1_024, max: 67_108_864, doc: 'Largest JSON body, bytes (after gunzip).' }),
  wsFrameBytesMax: integerRow({ env: 'RIVULET_WS_FRAME_BYTES_MAX', fallback: 2_097_152, min: 1_024, max: 67_108_864, doc: 'Largest WebSocket message taken, bytes.' }),
  tokenCacheMax: integerRow({ env: 'RIVULET_TOKEN_CACHE_MAX', fallback: 20_000, min: 16, max: 1_000_000, doc: 'Verified tokens kept, least recently used dropped first: checking a signature per append costs more than the append.' }),
} as const;

export type ServiceConfig = ConfigOf<typeof serviceRows>;
