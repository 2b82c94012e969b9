'use strict';
// Several real Kafka brokers (KRaft, each broker and controller) as child processes, from Maven's jars: what it takes to kill one of them.
const fs = require('node:fs');
const path = require('node:path');
const { freePort } = require('./free-port.cjs');
const { waitForBroker } = require('./kafka-probe.cjs');
const { commonSettings, fetchJars, makeClusterId, prepareBroker, runBroker } = require('./local-broker.cjs');

const HOST = '127.0.0.1';
const READY_MS_MAX = 150_000;

/**
 * @typedef {{ nodeId: number, port: number, internalPort: number, controllerPort: number, advertisedPort: number }} Node
 *   port: for clients. internalPort: for the other brokers, which never go through what clients are told
 */

/** @param {string} data @param {Node} node @param {Node[]} nodes */
function nodeSettings(data, node, nodes) {
  const replication = Math.min(3, nodes.length);
  const insync = Math.max(1, replication - 1);
  return {
    ...commonSettings(data),
    'node.id': node.nodeId,
    'controller.quorum.voters': nodes.map(({ nodeId, controllerPort }) => `${nodeId}@${HOST}:${controllerPort}`).join(','),
    'listener.security.protocol.map': 'CLIENTS:PLAINTEXT,BROKERS:PLAINTEXT,CONTROLLER:PLAINTEXT',
    listeners: `CLIENTS://${HOST}:${node.port},BROKERS://${HOST}:${node.internalPort},CONTROLLER://${HOST}:${node.controllerPort}`,
    'advertised.listeners': `CLIENTS://${HOST}:${node.advertisedPort},BROKERS://${HOST}:${node.internalPort}`,
    'inter.broker.listener.name': 'BROKERS',
    'offsets.topic.replication.factor': replication,
    'transaction.state.log.replication.factor': replication,
    'transaction.state.log.min.isr': insync,
    'share.coordinator.state.topic.replication.factor': replication,
    'share.coordinator.state.topic.min.isr': insync,
    // For the topics of the group coordinator too.
    'min.insync.replicas': insync,
    // Acknowledged means durable: a replica that lacks records never becomes the leader.
    'unclean.leader.election.enable': false,
    // A broker that dies or hangs is replaced after its session, 9 s by default: meanwhile nothing can be written to the partitions it
    // has a replica of. Below the session of group members, or all would give their partitions up when a coordinator dies [KAFKA-12].
    'broker.session.timeout.ms': 2000,
    'broker.heartbeat.interval.ms': 400,
    // The dead one may be the active controller: its successor is found before it looks for dead brokers.
    'controller.quorum.fetch.timeout.ms': 1000,
    'controller.quorum.election.timeout.ms': 500,
    'controller.quorum.election.backoff.max.ms': 200,
    // A follower that is slow keeps all writes waiting for this long, 30 s by default.
    'replica.lag.time.max.ms': 5000,
  };
}

/** One broker of a cluster; its addresses stay the same through kill and restart. */
class ClusterBroker {
  /** @type {import('./kept-process.cjs').KeptProcess | undefined} */
  #process;
  #start;

  /** @param {Node} node @param {() => Promise<import('./kept-process.cjs').KeptProcess>} start */
  constructor(node, start) {
    this.node = node;
    this.#start = start;
  }

  /** Where clients reach it. @returns {string} */
  get address() {
    return `${HOST}:${this.node.advertisedPort}`;
  }

  /** @returns {number} 0 while it does not run */
  get pid() {
    return this.#process && !this.#process.isGone ? this.#process.pid : 0;
  }

  /** Sends a signal and, when it ends the broker, waits until it is gone. @param {NodeJS.Signals} signal @returns {Promise<void>} */
  async kill(signal) {
    this.#process?.kill(signal);
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await this.#process?.exited;
  }

  /** Starts it (again) with its data; resolves when it answers. @returns {Promise<void>} */
  async restart() {
    if (this.pid !== 0) await this.stop();
    this.#process = await this.#start();
  }

  /** In order: it hands its partitions over. @returns {Promise<void>} */
  async stop() {
    this.#process?.kill('SIGCONT');
    await this.#process?.stop();
  }
}

/** @param {{ count: number, advertise: (port: number) => Promise<number> }} options @returns {Promise<Node[]>} */
async function chooseNodes({ count, advertise }) {
  const taken = new Set();
  const choose = async () => {
    for (;;) {
      const port = await freePort();
      if (taken.has(port)) continue;
      taken.add(port);
      return port;
    }
  };
  const nodes = [];
  for (let nodeId = 1; nodeId <= count; nodeId++) {
    const port = await choose();
    nodes.push({ nodeId, port, internalPort: await choose(), controllerPort: await choose(), advertisedPort: 0 });
  }
  // Only now: what listens for a proxy is taken from the free ports as well.
  for (const node of nodes) node.advertisedPort = await advertise(node.port);
  return nodes;
}

/**
 * Starts a cluster whose data lives in `folder`. Topics should be replicated 3 times with min.insync.replicas 2.
 * @param {{ folder: string, brokers?: number, advertise?: (port: number) => Promise<number> }} options
 *   advertise: given the port of a broker, the port clients are told instead; e.g. that of a fault proxy
 * @returns {Promise<{ brokers: string, list: ClusterBroker[], stop(): Promise<void> }>}
 */
async function startLocalCluster({ folder, brokers: count = 3, advertise = async (port) => port }) {
  await fetchJars();
  fs.mkdirSync(folder, { recursive: true });
  const nodes = await chooseNodes({ count, advertise });
  const clusterId = makeClusterId();
  const list = await Promise.all(nodes.map(async (node) => {
    const own = path.join(folder, `broker-${node.nodeId}`);
    const data = path.join(own, 'data');
    const properties = await prepareBroker({ folder: own, data, settings: nodeSettings(data, node, nodes), clusterId });
    const logFile = path.join(own, 'kafka.log');
    return new ClusterBroker(node, () => runBroker({ folder: own, properties, address: `${HOST}:${node.port}`, logFile }));
  }));
  const cluster = {
    brokers: list.map(({ address }) => address).join(','),
    list,
    // At once: one after the other, the last two would have no majority to hand their partitions over to.
    stop: async () => { await Promise.all(list.map((broker) => broker.stop())); },
  };
  try {
    await Promise.all(list.map((broker) => broker.restart()));
    if (!(await waitForBroker(cluster.brokers, { timeoutMs: READY_MS_MAX }))) throw new Error(`no broker answers at ${cluster.brokers}`);
    return cluster;
  } catch (error) {
    await Promise.all(list.map((broker) => broker.kill('SIGKILL')));
    throw error;
  }
}

module.exports = { startLocalCluster };
