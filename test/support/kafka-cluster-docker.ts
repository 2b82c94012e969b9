import { randomBytes } from 'node:crypto';
import { GenericContainer, getContainerRuntimeClient, Network, Wait } from 'testcontainers';
import type { StartedNetwork, StartedTestContainer } from 'testcontainers';
import { freePort } from '../../tools/free-port.cjs';
import { waitForBroker } from '../../tools/kafka-probe.cjs';
import type { Cluster, ClusterBroker, ClusterOptions } from './kafka-cluster';

/** Has the layout of confluentinc/cp-kafka as well as its variables: KAFKA_* become properties. */
const IMAGE = process.env['KAFKA_IMAGE'] ?? 'confluentinc/cp-kafka:8.0.0';
const CLIENTS_PORT = 9093;
const READY_MS_MAX = 150_000;
const NODES = [1, 2, 3];

const hostOf = (node: number): string => `broker-${node}`;

function environment(node: number, clusterId: string, advertised: string): Record<string, string> {
  return {
    CLUSTER_ID: clusterId,
    KAFKA_NODE_ID: String(node),
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_CONTROLLER_QUORUM_VOTERS: NODES.map((one) => `${one}@${hostOf(one)}:9094`).join(','),
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CLIENTS:PLAINTEXT,BROKERS:PLAINTEXT,CONTROLLER:PLAINTEXT',
    KAFKA_LISTENERS: `CLIENTS://0.0.0.0:${CLIENTS_PORT},BROKERS://0.0.0.0:9092,CONTROLLER://0.0.0.0:9094`,
    KAFKA_ADVERTISED_LISTENERS: `CLIENTS://${advertised},BROKERS://${hostOf(node)}:9092`,
    KAFKA_INTER_BROKER_LISTENER_NAME: 'BROKERS',
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS: '1000',
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: '4',
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '3',
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '3',
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '2',
    KAFKA_MIN_INSYNC_REPLICAS: '2',
    KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE: 'false',
    KAFKA_BROKER_SESSION_TIMEOUT_MS: '3000',
    KAFKA_BROKER_HEARTBEAT_INTERVAL_MS: '500',
    KAFKA_REPLICA_LAG_TIME_MAX_MS: '5000',
    KAFKA_HEAP_OPTS: '-Xms256m -Xmx512m',
  };
}

/** As tools/local-cluster.cjs, in containers: for a machine without Java. */
class ContainerBroker implements ClusterBroker {
  constructor(readonly address: string, private readonly own: string, private readonly containerId: string) {}

  async kill(signal: NodeJS.Signals): Promise<void> {
    const container = await this.container();
    if (signal === 'SIGSTOP') return container.pause();
    if (signal === 'SIGCONT') return container.unpause();
    await container.kill({ signal });
    // Docker answers before it is gone.
    await container.wait();
  }

  async restart(): Promise<void> {
    await (await this.container()).start();
    await this.answers();
  }

  async answers(): Promise<void> {
    if (!(await waitForBroker(this.own, { timeoutMs: READY_MS_MAX }))) throw new Error(`the broker at ${this.own} does not answer`);
  }

  private async container(): Promise<ContainerHandle> {
    const { container } = await getContainerRuntimeClient();
    return container.getById(this.containerId) as unknown as ContainerHandle;
  }
}

/** What is used of dockerode, whose types are not ours to import. */
interface ContainerHandle {
  pause(): Promise<void>;
  unpause(): Promise<void>;
  kill(options: { signal: string }): Promise<void>;
  wait(): Promise<unknown>;
  start(): Promise<void>;
}

async function startNode(
  network: StartedNetwork, node: number, port: number, advertised: string, clusterId: string,
): Promise<StartedTestContainer> {
  return new GenericContainer(IMAGE)
    .withNetwork(network).withNetworkAliases(hostOf(node))
    // A fixed port: Docker would choose another one when the broker is started again, and its clients know the old one.
    .withExposedPorts({ container: CLIENTS_PORT, host: port })
    .withEnvironment(environment(node, clusterId, advertised))
    .withWaitStrategy(Wait.forListeningPorts()).withStartupTimeout(READY_MS_MAX)
    .start();
}

export async function startContainers({ advertise = async (port) => port }: ClusterOptions): Promise<Cluster> {
  const network = await new Network().start();
  const clusterId = randomBytes(16).toString('base64url');
  const ports: number[] = [];
  for (const _ of NODES) ports.push(await freePort(0, '0.0.0.0'));
  const addresses: string[] = [];
  for (const port of ports) addresses.push(`127.0.0.1:${await advertise(port)}`);
  const started = await Promise.all(NODES.map((node, index) => startNode(network, node, ports[index]!, addresses[index]!, clusterId)));
  const list = started.map((container, index) => new ContainerBroker(addresses[index]!, `127.0.0.1:${ports[index]}`, container.getId()));
  await Promise.all(list.map((broker) => broker.answers()));
  return {
    brokers: addresses.join(','), list, what: `three ${IMAGE} through testcontainers`,
    stop: async () => {
      await Promise.all(started.map((container) => container.stop({ timeout: 0 })));
      await network.stop();
    },
  };
}
