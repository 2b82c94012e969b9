// Which Kafka `npm start` uses: KAFKA_BROKERS, else Docker compose, else a local broker from Maven jars. Null when there is none.
import fs from 'node:fs';
import path from 'node:path';
import { freePort } from './free-port.cjs';
import { brokerAnswers, waitForBroker } from './kafka-probe.cjs';
import { KeptProcess } from './kept-process.cjs';
import { hasJars, KAFKA_VERSION, localBrokerMissing, startLocalBroker } from './local-broker.cjs';
import { ROOT, run, step } from './prepare.mjs';

export const THREE_WAYS = `  1. set KAFKA_BROKERS=host:port to a Kafka you have
  2. start Docker: npm start brings up the service kafka of docker-compose.yml
  3. install Java 17 or newer and Maven: npm start fetches and runs Apache Kafka ${KAFKA_VERSION} itself`;

const FOLDER = path.join(ROOT, '.rivulet', 'kafka');
const COMPOSE_PORT = 9094;
const LOCAL_PORT = 9092;
const READY_MS_MAX = 90_000;

/**
 * @typedef {object} Kafka
 * @property {string} what in words, for people
 * @property {string} brokers
 * @property {number} [pid] of the process we started
 * @property {Promise<string>} [exited] how it ended, when we started it
 * @property {() => Promise<void>} stop only what we started
 * @property {() => Promise<Kafka>} [restart]
 */

/** @returns {Promise<Kafka>} */
async function given(brokers) {
  if (!(await waitForBroker(brokers, { timeoutMs: 10_000 }))) {
    throw new Error(`No Kafka answers at ${brokers} (KAFKA_BROKERS). Start it, correct the address, or unset KAFKA_BROKERS to have one started.`);
  }
  return { what: `${brokers}, from KAFKA_BROKERS`, brokers, stop: async () => undefined };
}

/** @returns {Promise<string[] | null>} the compose command, v2 or v1, when a Docker engine answers */
async function findCompose() {
  if ((await run('docker', ['info'])).code !== 0) return null;
  if ((await run('docker', ['compose', 'version'])).code === 0) return ['docker', 'compose'];
  if ((await run('docker-compose', ['version'])).code === 0) return ['docker-compose'];
  return null;
}

const imageName = () => process.env.KAFKA_IMAGE
  ?? /\$\{KAFKA_IMAGE:-([^}]+)\}/.exec(fs.readFileSync(path.join(ROOT, 'docker-compose.yml'), 'utf8'))[1];

/** @returns {Promise<string | null>} why the image cannot be had */
async function pullMissing(image) {
  if ((await run('docker', ['image', 'inspect', image])).code === 0) return null;
  const { code, output } = await step(`Pulling ${image}`, () => run('docker', ['pull', '--quiet', image]));
  return code === 0 ? null : output.trim().split('\n').at(-1);
}

/** @returns {Promise<string | null>} the address of a kafka of this project that already runs, e.g. by `docker compose up` */
async function runningContainer([command, ...rest]) {
  const { code, output } = await run(command, [...rest, 'port', 'kafka', String(COMPOSE_PORT)]);
  const address = /(127\.0\.0\.1|0\.0\.0\.0):\d+\s*$/.exec(output)?.[0].trim().replace('0.0.0.0', '127.0.0.1');
  return code === 0 && address && (await brokerAnswers(address)) ? address : null;
}

/** @returns {Promise<Kafka | string>} or why not */
async function composed(logFile) {
  const compose = await findCompose();
  if (!compose) return 'Docker with compose does not answer';
  const already = await runningContainer(compose);
  if (already) return { what: `the running compose service kafka at ${already}`, brokers: already, stop: async () => undefined };
  const image = imageName();
  const refusal = await pullMissing(image);
  if (refusal) return `Docker answers, but ${image} cannot be pulled: ${refusal}`;
  return startContainer(compose, image, logFile, await freePort(COMPOSE_PORT));
}

/** @returns {Promise<Kafka | string>} */
async function startContainer(compose, image, logFile, port) {
  // In the foreground of a kept process, so that the container stops when we do, also when we are killed. Its data is in a volume.
  const container = new KeptProcess([...compose, 'up', '--no-color', 'kafka'],
    { cwd: ROOT, logFile, env: { ...process.env, KAFKA_IMAGE: image, KAFKA_HOST_PORT: String(port) } });
  const brokers = `127.0.0.1:${port}`;
  const isThere = await step('Starting Kafka in Docker', () => waitForBroker(brokers, { timeoutMs: READY_MS_MAX, isGone: () => container.isGone }));
  if (!isThere) {
    await container.stop();
    return `Kafka in Docker did not start: ${container.tail(3)}`;
  }
  return {
    what: `${image} in Docker at ${brokers}, data in a Docker volume`, brokers, pid: container.pid, exited: container.exited,
    stop: () => container.stop(),
    restart: async () => {
      const again = await startContainer(compose, image, logFile, port);
      if (typeof again === 'string') throw new Error(again);
      return again;
    },
  };
}

/** @returns {Promise<Kafka | string>} or why not */
async function local(logFile, port = LOCAL_PORT) {
  const missing = await localBrokerMissing();
  if (missing) return `a local broker needs Java 17 and Maven: ${missing}`;
  const title = `Starting a local Apache Kafka ${KAFKA_VERSION}${hasJars() ? '' : ' (Maven fetches 43 MB, once)'}`;
  const broker = await step(title, () => startLocalBroker({ folder: FOLDER, port, logFile })).catch((error) => error.message);
  if (typeof broker === 'string') return broker;
  return {
    what: `local Apache Kafka ${KAFKA_VERSION} at ${broker.brokers}, data in .rivulet/kafka`, ...broker,
    restart: async () => {
      const again = await local(logFile, Number(broker.brokers.split(':')[1]));
      if (typeof again === 'string') throw new Error(again);
      return again;
    },
  };
}

/** @param {string} logFile of the broker we start @returns {Promise<Kafka | null>} */
export async function findKafka(logFile) {
  if (process.env.KAFKA_BROKERS) return given(process.env.KAFKA_BROKERS);
  for (const way of [composed, local]) {
    const found = await way(logFile);
    if (typeof found !== 'string') return found;
    console.log(`  ${found}`);
  }
  return null;
}
