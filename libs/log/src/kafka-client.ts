import { connect as connectTcp, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { compressFrame, decompressFrame } from 'lz4-napi';
import { CompressionTypes, Kafka, logLevel } from 'kafkajs';
import type { ConsumerConfig, ISocketFactory, KafkaConfig, LogEntry, RetryOptions, SASLOptions } from 'kafkajs';
import { Codecs, patchRequestQueue } from './kafka-internals';
import type { KafkaBroker, KafkaCluster } from './kafka-internals';

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
  /** host:port, as configured. */
  readonly brokers: readonly string[];
  /** With the host:port each leads to, as the cluster names it. */
  private readonly sockets = new Map<Socket, string>();
  private isClosed = false;

  constructor(options: KafkaClientOptions, readonly name: string) {
    patchRequestQueue();
    registerCodecs();
    this.requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    this.brokers = options.brokers;
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
        return this.track(socketFactory(args), `${args.host}:${args.port}`);
      },
    });
  }

  /**
   * Cuts the sockets to one broker, or all: kafkajs keeps writing to one that hangs for as long as TCP does (kafkajs #919, #1783).
   * Requests on them reject; those to other brokers are left alone [KAFKA-20].
   */
  dropConnections(reason: string, address?: string): void {
    for (const [socket, to] of this.sockets) if (address === undefined || address === to) socket.destroy(new Error(reason));
  }

  /** Cuts all sockets and refuses new ones: retries of kafkajs that are still under way would open some again. */
  close(): void {
    this.isClosed = true;
    this.dropConnections('The client is closed.');
  }

  /**
   * @returns what makes connections to brokers, as this client is configured. kafkajs gives it only to an assigner; nothing of the
   * consumer around it is used, nor kafkajs's own view of the cluster (see KafkaClusterView)
   */
  brokerFactory(): (host: string, port: number, nodeId: number | null) => Promise<KafkaBroker> {
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
    // A connection that hangs is cut, or every retry would be written into it.
    consumer.on('consumer.network.request_timeout', ({ payload }) => this.dropConnections('A request timed out.', payload.broker));
    if (!captured) throw new Error('kafkajs 2.2.4 passes its cluster to assigners; this version does not.');
    const { brokerPool, connectionPoolBuilder, rootLogger } = captured;
    return async (host, port, nodeId) => {
      return brokerPool.createBroker({ logger: rootLogger, connectionPool: await connectionPoolBuilder.build({ host, port }), nodeId });
    };
  }

  private track(socket: Socket, address: string): Socket {
    this.sockets.set(socket, address);
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
export function registerCodecs(): void {
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
