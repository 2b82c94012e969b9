import { connect as connectTcp, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { compressFrame, decompressFrame } from 'lz4-napi';
import { CompressionTypes, Kafka, logLevel } from 'kafkajs';
import type { ConsumerConfig, ISocketFactory, KafkaConfig, LogEntry, RetryOptions, SASLOptions } from 'kafkajs';
import { Codecs, patchRequestQueue } from './kafka-internals';
import type { KafkaCluster } from './kafka-internals';

/** What pino offers, and no more. */
export interface KafkaLogger {
  debug(facts: object, text: string): void;
  info(facts: object, text: string): void;
  warn(facts: object, text: string): void;
  error(facts: object, text: string): void;
}

export interface KafkaClientOptions {
  brokers: string[];
  clientId: string;
  ssl?: KafkaConfig['ssl'];
  sasl?: SASLOptions;
  logger?: KafkaLogger;
  /** Replaces TCP and TLS sockets: tests stall or cut them. */
  socketFactory?: ISocketFactory;
  connectionTimeoutMs?: number;
  /** How long one request may take. A broker that hangs is noticed after this long. */
  requestTimeoutMs?: number;
}

export const REQUEST_TIMEOUT_MS = 5000;
/** Every option, because kafkajs takes others when NODE_ENV is `test`. Bounded: our own deadlines decide [KAFKA-4] [KAFKA-12]. */
export const RETRY: RetryOptions = { initialRetryTime: 50, maxRetryTime: 1000, retries: 5, factor: 0.2, multiplier: 2 };
const KEEP_ALIVE_MS = 60_000;

/** One kafkajs client with its own sockets, so that a hanging connection can be cut without touching anybody else's. */
export class KafkaClient {
  readonly kafka: Kafka;
  readonly requestTimeoutMs: number;
  private readonly sockets = new Set<Socket>();
  private isClosed = false;

  constructor(options: KafkaClientOptions, readonly name: string) {
    patchRequestQueue();
    registerCodecs();
    this.requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    const socketFactory = options.socketFactory ?? openSocket;
    this.kafka = new Kafka({
      brokers: options.brokers,
      clientId: `${options.clientId}-${name}`,
      ssl: options.ssl,
      sasl: options.sasl,
      // The defaults (1 s, 30 s, no SASL bound) make a hanging broker cost minutes (kafkajs #1439).
      connectionTimeout: options.connectionTimeoutMs ?? 3000,
      authenticationTimeout: 5000,
      requestTimeout: this.requestTimeoutMs,
      enforceRequestTimeout: true,
      retry: RETRY,
      logLevel: logLevel.INFO,
      logCreator: () => (entry) => passOn(entry, options.logger),
      socketFactory: (args) => {
        if (this.isClosed) throw new Error('The client is closed.');
        return this.track(socketFactory(args));
      },
    });
  }

  /** Cuts all sockets: kafkajs keeps writing to one that hangs for as long as TCP does (kafkajs #919, #1783). Requests on them reject. */
  dropConnections(reason: string): void {
    for (const socket of this.sockets) socket.destroy(new Error(reason));
  }

  /** Cuts all sockets and refuses new ones: retries of kafkajs that are still under way would open some again. */
  close(): void {
    this.isClosed = true;
    this.dropConnections('The client is closed.');
  }

  /** @returns kafkajs's own view of the cluster, which only an assigner is given; nothing of the consumer around it is used */
  openCluster(): KafkaCluster {
    let captured: KafkaCluster | undefined;
    const config: ConsumerConfig = {
      groupId: `${this.name}-never-joined`,
      allowAutoTopicCreation: false,
      partitionAssigners: [
        ({ cluster }) => {
          captured = cluster as unknown as KafkaCluster;
          return { name: 'none', version: 0, protocol: () => ({ name: 'none', metadata: Buffer.alloc(0) }), assign: async () => [] };
        },
      ],
    };
    const consumer = this.kafka.consumer(config);
    consumer.on('consumer.network.request_timeout', () => this.dropConnections('A request timed out.'));
    if (!captured) throw new Error('kafkajs 2.2.4 passes its cluster to assigners; this version does not.');
    return captured;
  }

  private track(socket: Socket): Socket {
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    return socket;
  }
}

/** As kafkajs does it, plus TCP_NODELAY: a small request must not wait for the answer to the last one. */
const openSocket: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  const socket = ssl
    ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
    : connectTcp({ host, port }, onConnect);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  socket.setNoDelay(true);
  return socket;
};

/** Registered wherever anything is read: another writer of the topic may compress. gzip is built in. */
function registerCodecs(): void {
  Codecs[CompressionTypes.LZ4] = () => ({
    compress: (encoder) => compressFrame(encoder.buffer),
    decompress: (buffer) => decompressFrame(buffer),
  });
}

/**
 * What kafkajs logs as an error although it is how a group, a restart or an outage looks [KAFKA-23]. Ours are logged where they
 * are decided: one line for each thing that did not work, not one for each attempt of each connection.
 */
const ROUTINE = [
  'Connection error', 'Connection timeout', 'Failed to connect', 'Failed to send messages', 'Response Produce',
  'rebalancing', 'Response Heartbeat', 'Response JoinGroup', 'Response SyncGroup', 'coordinator is loading', 'coordinator is not',
  'not the coordinator', 'Response Metadata', 'Response ListOffsets', 'Response Fetch', 'Response CreateTopics', 'Consumer has joined the group',
  'Pausing fetching', 'Starting', 'Stopped', 'consumer not running',
];

function passOn(entry: LogEntry, logger: KafkaLogger | undefined): void {
  if (!logger) return;
  const { message, timestamp: _timestamp, logger: _name, ...facts } = entry.log;
  const text = `kafkajs ${entry.namespace}: ${message}`;
  const error = typeof facts.error === 'string' ? facts.error : '';
  if (entry.level === logLevel.DEBUG || ROUTINE.some((part) => message.includes(part) || error.includes(part))) logger.debug(facts, text);
  else if (entry.level === logLevel.INFO) logger.info(facts, text);
  else logger.warn(facts, text);
}
