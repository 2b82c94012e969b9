import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { KafkaContainer } from '@testcontainers/kafka';
import { getContainerRuntimeClient } from 'testcontainers';
import { freePort } from '../../tools/free-port.cjs';
import { waitForBroker } from '../../tools/kafka-probe.cjs';
import { localBrokerMissing, startLocalBroker } from '../../tools/local-broker.cjs';

// KafkaContainer starts images with the layout of confluentinc/cp-kafka; 8.0 is Apache Kafka 4.0.
const IMAGE = process.env['KAFKA_IMAGE'] ?? 'confluentinc/cp-kafka:8.0.0';
const CONTAINER_PORT = 9093;
const READY_MS_MAX = 150_000;

/** A real Kafka of one node, for tests. Its address stays the same through halt and revive. */
export interface Broker {
  /** As for KAFKA_BROKERS. */
  readonly brokers: string;
  /** In words: what it is. */
  readonly what: string;
  /** Kills it, kill -9. */
  halt(): Promise<void>;
  /** Starts it again with its data; resolves when it answers. */
  revive(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

async function untilItAnswers(brokers: string): Promise<void> {
  if (!(await waitForBroker(brokers, { timeoutMs: READY_MS_MAX }))) throw new Error(`Kafka at ${brokers} does not answer`);
}

/** KafkaContainer exposes its port again when it starts, which would bind it to a random one: here every time to the same. */
class FixedPortKafka extends KafkaContainer {
  constructor(image: string, private readonly hostPort: number) {
    super(image);
    this.withExposedPorts(CONTAINER_PORT);
  }

  override withExposedPorts(...ports: Parameters<KafkaContainer['withExposedPorts']>): this {
    // The constructor of KafkaContainer comes here before hostPort is set; ours comes once more.
    const isOurs = (port: unknown): boolean => port === CONTAINER_PORT && this.hostPort !== undefined;
    return super.withExposedPorts(...ports.map((port) => (isOurs(port) ? { container: CONTAINER_PORT, host: this.hostPort } : port)));
  }
}

async function startContainer(): Promise<Broker> {
  const { container: containers } = await getContainerRuntimeClient();
  const port = await freePort(0, '0.0.0.0');
  // A fixed port: Docker would choose another one when the broker is revived, and its clients know the old one.
  const started = await new FixedPortKafka(IMAGE, port).withKraft()
    .withEnvironment({
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
      KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS: '1000',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR: '1',
      KAFKA_HEAP_OPTS: '-Xms256m -Xmx512m',
    })
    .start();
  const brokers = `${started.getHost()}:${port}`;
  const container = containers.getById(started.getId());
  return {
    brokers,
    what: `${IMAGE} through testcontainers`,
    halt: () => container.kill(),
    revive: async () => {
      await container.start();
      await untilItAnswers(brokers);
    },
    stop: async () => { await started.stop(); },
  };
}

async function startJvm(): Promise<Broker> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rivulet-kafka-'));
  let broker = await startLocalBroker({ folder });
  const port = Number(broker.brokers.split(':')[1]);
  return {
    brokers: broker.brokers,
    what: 'a local Apache Kafka from Maven jars',
    halt: async () => {
      broker.kill('SIGKILL');
      await broker.exited;
    },
    revive: async () => { broker = await startLocalBroker({ folder, port }); },
    stop: async () => {
      await broker.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A broker of the test's own: by testcontainers where Docker answers, otherwise as a local process. */
export async function startBroker(): Promise<Broker> {
  const refusals: string[] = [];
  const isDockerThere = await getContainerRuntimeClient().then(() => true, () => false);
  if (isDockerThere) {
    try {
      return await startContainer();
    } catch (error) {
      refusals.push(`Docker answers, but ${IMAGE} does not start: ${(error as Error).message}`);
    }
  } else refusals.push('Docker does not answer');
  const missing = await localBrokerMissing();
  if (missing === null) return startJvm();
  throw new Error(`Integration tests need a real Kafka: set KAFKA_BROKERS, start Docker, or install Java 17 and Maven (${[...refusals, missing].join('; ')})`);
}
