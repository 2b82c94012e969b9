'use strict';
// A real Apache Kafka (KRaft, one node) as a child process, from Maven's jars: no image, no installation, same broker as in production.
const { execFile } = require('node:child_process');
const { randomBytes } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { promisify } = require('node:util');
const { freePort } = require('./free-port.cjs');
const { waitForBroker } = require('./kafka-probe.cjs');
const { KeptProcess } = require('./kept-process.cjs');

const run = promisify(execFile);
const KAFKA_VERSION = '4.3.1';
const LOG4J_VERSION = '2.24.3';
const JAVA_MIN = 17;
const START_MS_MAX = 150_000;
const ROOT = path.resolve(__dirname, '..');
const JARS = path.join(ROOT, '.rivulet', 'kafka', `jars-${KAFKA_VERSION}`);

const dependency = (group, artifact, version) =>
  `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
const POM = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>rivulet</groupId><artifactId>local-kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    ${dependency('org.apache.kafka', 'kafka_2.13', KAFKA_VERSION)}
    ${dependency('org.apache.logging.log4j', 'log4j-slf4j-impl', LOG4J_VERSION)}
    ${dependency('org.apache.logging.log4j', 'log4j-core', LOG4J_VERSION)}
  </dependencies>
</project>
`;
const LOG4J = `status = error
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = INFO
rootLogger.appenderRef.out.ref = OUT
`;

/** @returns {Record<string, string | number | boolean>} what differs from Kafka's default in every broker started here, and why */
function commonSettings(data) {
  return {
    'process.roles': 'broker,controller',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': data,
    // Topics are created by the allocator, with every setting named; one made by accident would have the wrong partition count for ever.
    'auto.create.topics.enable': false,
    // A fanout that dies is replaced after its session timeout: Kafka's floor of 6 s would be the length of the gap.
    'group.min.session.timeout.ms': 1000,
    'group.initial.rebalance.delay.ms': 0,
    'offsets.topic.num.partitions': 4,
    // The default of 128 MB is a quarter of the heap given here.
    'log.cleaner.dedupe.buffer.size': 33_554_432,
  };
}

function singleSettings({ data, port, controllerPort }) {
  return {
    ...commonSettings(data),
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'inter.broker.listener.name': 'PLAINTEXT',
    // One node cannot hold the three replicas these topics have by default.
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
  };
}

/** @returns {boolean} */
const hasJars = () => fs.existsSync(JARS);

/** @returns {Promise<string | null>} what is missing for a local broker, or null */
async function localBrokerMissing() {
  const version = await run('java', ['-version']).then(({ stderr }) => Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0), () => null);
  if (version === null) return 'no java';
  if (version < JAVA_MIN) return `java ${version} is too old (Kafka needs ${JAVA_MIN})`;
  if (hasJars()) return null;
  return run('mvn', ['-v']).then(() => null, () => 'no mvn');
}

/** Copies Kafka's jars by Maven, once. A half-finished copy is never taken for a whole one: the folder gets its name at the end. */
async function fetchJars() {
  if (hasJars()) return;
  const partial = `${JARS}.${process.pid}`;
  fs.mkdirSync(partial, { recursive: true });
  const pom = path.join(partial, 'pom.xml');
  fs.writeFileSync(pom, POM);
  try {
    await run('mvn', ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${partial}`]);
    fs.renameSync(partial, JARS);
  } catch (error) {
    fs.rmSync(partial, { recursive: true, force: true });
    if (hasJars()) return;
    throw new Error(`Maven could not fetch Kafka ${KAFKA_VERSION}: ${error.stdout || error.message}`, { cause: error });
  }
}

function java(mainClass, folder, heap) {
  return ['java', `-Xmx${heap}`, '-XX:+UseSerialGC', '-Djava.awt.headless=true',
    `-Dlog4j2.configurationFile=${path.join(folder, 'log4j2.properties')}`, '-cp', path.join(JARS, '*'), mainClass];
}

const makeClusterId = () => randomBytes(16).toString('base64url');

/**
 * Writes the settings of a broker and formats its data, when an earlier start has not.
 * @returns {Promise<string>} file of the settings
 */
async function prepareBroker({ folder, data, settings, clusterId }) {
  fs.mkdirSync(folder, { recursive: true });
  const properties = path.join(folder, 'server.properties');
  fs.writeFileSync(properties, Object.entries(settings).map(([name, value]) => `${name}=${value}\n`).join(''));
  fs.writeFileSync(path.join(folder, 'log4j2.properties'), LOG4J);
  if (fs.existsSync(path.join(data, 'meta.properties'))) return properties;
  const [command, ...rest] = java('kafka.tools.StorageTool', folder, '256m');
  // With "=": one id in 64 begins with a dash and would be read as an option.
  await run(command, [...rest, 'format', `--cluster-id=${clusterId}`, '-c', properties]);
  return properties;
}

/** Runs a broker that was prepared. @returns {Promise<KeptProcess>} once it answers at `address` */
async function runBroker({ folder, properties, address, logFile }) {
  const jvm = new KeptProcess([...java('kafka.Kafka', folder, '512m'), properties], { cwd: folder, logFile });
  if (await waitForBroker(address, { timeoutMs: START_MS_MAX, isGone: () => jvm.isGone })) return jvm;
  jvm.kill('SIGKILL');
  throw new Error(`the local Kafka did not start; the end of ${logFile}:\n${jvm.tail()}`);
}

/**
 * Starts a broker whose data lives in `folder`: a second start with the same folder finds what the first one wrote.
 * @param {{ folder: string, port?: number, logFile?: string }} options port: preferred, another one is taken when it is in use
 * @returns {Promise<{ brokers: string, pid: number, exited: Promise<string>, kill(signal: NodeJS.Signals): void,
 *   stop(): Promise<void> }>}
 */
async function startLocalBroker({ folder, port: preferred = 0, logFile = path.join(folder, 'kafka.log') }) {
  await fetchJars();
  const data = path.join(folder, 'data');
  const port = await freePort(preferred);
  const settings = singleSettings({ data, port, controllerPort: await freePort() });
  const properties = await prepareBroker({ folder, data, settings, clusterId: makeClusterId() });
  const brokers = `127.0.0.1:${port}`;
  const jvm = await runBroker({ folder, properties, address: brokers, logFile });
  return { brokers, pid: jvm.pid, exited: jvm.exited, kill: (signal) => jvm.kill(signal), stop: () => jvm.stop() };
}

module.exports = {
  commonSettings, fetchJars, hasJars, KAFKA_VERSION, localBrokerMissing, makeClusterId, prepareBroker, runBroker, startLocalBroker,
};
