import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { getContainerRuntimeClient } from 'testcontainers';
import { localBrokerMissing } from '../../tools/local-broker.cjs';
import { startLocalCluster } from '../../tools/local-cluster.cjs';
import { startContainers } from './kafka-cluster-docker';

/** One broker of a cluster. Its address stays the same through kill and restart. */
export interface ClusterBroker {
  /** Where clients reach it. */
  readonly address: string;
  /** SIGKILL, SIGTERM, SIGSTOP or SIGCONT; the first two resolve when it is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again with its data; resolves when it answers. */
  restart(): Promise<void>;
}

/** Three real brokers: replication 3, min.insync.replicas 2. */
export interface Cluster {
  /** As for KAFKA_BROKERS. */
  readonly brokers: string;
  readonly what: string;
  readonly list: readonly ClusterBroker[];
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

export interface ClusterOptions {
  /** Given the port of a broker, the port clients are told instead: that of a fault proxy. */
  advertise?: (port: number) => Promise<number>;
}

async function startJvms(options: ClusterOptions): Promise<Cluster> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rivulet-kafka-'));
  const { brokers, list } = await startLocalCluster({ folder, ...options });
  return {
    brokers, list, what: 'three local Apache Kafka from Maven jars',
    stop: async () => {
      // Nothing is kept: no need to hand over.
      await Promise.all(list.map((broker) => broker.kill('SIGKILL')));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A cluster of the test's own: local processes where Java is, because those start and die fastest, otherwise containers. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const missing = await localBrokerMissing();
  if (missing === null) return startJvms(options);
  const isDockerThere = await getContainerRuntimeClient().then(() => true, () => false);
  if (isDockerThere) return startContainers(options);
  throw new Error(`Three brokers need Java 17 and Maven, or Docker: ${missing}, and Docker does not answer`);
}
