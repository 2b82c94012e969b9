'use strict';
// The services as real processes from dist, on free ports: for tests, the demo and the benches. `npm start` uses the same table of apps.
const path = require('node:path');
const { freePort } = require('./free-port.cjs');
const { Child, ROOT } = require('./processes.cjs');
const { makeSecrets } = require('./secrets.cjs');

const HOST = '127.0.0.1';

/** @typedef {'allocator' | 'ingest' | 'fanout'} App */
/** @typedef {{ allocator: number, grpc: number, ingest: number, fanout: number, proxy: number }} Ports */
/** @type {readonly App[]} in order of start */
const APPS = ['allocator', 'ingest', 'fanout'];
/** Ingest first: no new fragments while sessions get the last ones; the allocator last: both others ask it. @type {readonly App[]} */
const STOP_ORDER = ['ingest', 'fanout', 'allocator'];
/** @type {Ports} */
const DEFAULT_PORTS = { proxy: 7100, allocator: 7101, ingest: 7102, fanout: 7103, grpc: 7111 };

/**
 * @param {Partial<Ports>} [preferred]
 * @returns {Promise<Ports>} the preferred ports where they are free
 */
async function choosePorts(preferred = {}) {
  /** @type {Partial<Ports>} */
  const ports = {};
  for (const name of /** @type {(keyof Ports)[]} */ (Object.keys(DEFAULT_PORTS))) {
    // Nothing listens yet, so the system may offer a port twice.
    do ports[name] = await freePort(preferred[name]);
    while (Object.entries(ports).some(([other, port]) => other !== name && port === ports[name]));
  }
  return /** @type {Ports} */ (ports);
}

/** The environment without our names: a variable in the developer's shell must not change what a test or a start means. */
function cleanEnv() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('RIVULET_')));
}

/**
 * @param {{ ports: Ports, brokers: string, secrets: NodeJS.ProcessEnv, env?: NodeJS.ProcessEnv }} options
 *   env: further settings, for all apps; they win over everything but addresses
 * @returns {NodeJS.ProcessEnv} what the apps get
 */
function appEnv({ ports, brokers, secrets, env = {} }) {
  const { RIVULET_START_API_KEY: _, ...appSecrets } = secrets;
  return {
    ...cleanEnv(),
    ...appSecrets,
    ...env,
    RIVULET_LOG: 'kafka',
    KAFKA_BROKERS: brokers,
    RIVULET_HOST: HOST,
    RIVULET_PUBLIC_URL: `http://${HOST}:${ports.proxy}`,
    RIVULET_ALLOCATOR_PORT: String(ports.allocator),
    RIVULET_ALLOCATOR_GRPC_PORT: String(ports.grpc),
    RIVULET_ALLOCATOR_GRPC_ADDRESS: `${HOST}:${ports.grpc}`,
    RIVULET_INGEST_PORT: String(ports.ingest),
    RIVULET_FANOUT_PORT: String(ports.fanout),
  };
}

/**
 * @param {App} app
 * @param {{ ports: Ports, env: NodeJS.ProcessEnv, logs: string, nodeArgs?: string[] }} options logs: folder
 */
const appChild = (app, { ports, env, logs, nodeArgs }) => new Child({
  name: app, script: `apps/${app}/dist/main.js`, env, nodeArgs,
  logFile: path.join(logs, `${app}.log`), readyUrl: `http://${HOST}:${ports[app]}/readyz`,
});

/** @param {{ ports: Ports, logs: string }} options */
const proxyChild = ({ ports, logs }) => new Child({
  name: 'proxy', script: 'tools/proxy.mjs', env: cleanEnv(),
  args: [`--port=${ports.proxy}`, `--host=${HOST}`, ...APPS.map((app) => `--${app}=http://${HOST}:${ports[app]}`)],
  logFile: path.join(logs, 'proxy.log'), readyUrl: `http://${HOST}:${ports.proxy}/readyz`,
});

/** A running system; `urls.proxy` is '' without a proxy. */
class System {
  /** @type {Map<string, Child>} */
  #children = new Map();
  #options;

  /**
   * @param {{ brokers: string, topicPrefix: string, apiKey: string, ports: Ports, env: NodeJS.ProcessEnv, logs: string,
   *   nodeArgs: Partial<Record<App, string[]>>, hasProxy: boolean }} options
   */
  constructor(options) {
    this.#options = options;
    const { brokers, topicPrefix, apiKey, ports, logs, hasProxy } = options;
    this.brokers = brokers;
    this.topicPrefix = topicPrefix;
    this.apiKey = apiKey;
    /** Folder of the log files. */
    this.logs = logs;
    const url = (/** @type {number} */ port) => `http://${HOST}:${port}`;
    this.urls = { allocator: url(ports.allocator), ingest: url(ports.ingest), fanout: url(ports.fanout), proxy: hasProxy ? url(ports.proxy) : '' };
  }

  /** @param {App | 'proxy'} app @returns {Child} */
  child(app) {
    const child = this.#children.get(app);
    if (!child) throw new Error(`${app} was not started`);
    return child;
  }

  /** @param {App | 'proxy'} app @returns {number} process id */
  pid(app) {
    return this.child(app).pid;
  }

  /** Starts an app (again) and waits until it is ready. @param {App | 'proxy'} app @returns {Promise<void>} */
  async restart(app) {
    const { ports, env, logs, nodeArgs } = this.#options;
    const before = this.#children.get(app);
    if (before && !before.isGone) await before.stop();
    const child = app === 'proxy' ? proxyChild({ ports, logs }) : appChild(app, { ports, env, logs, nodeArgs: nodeArgs[app] });
    this.#children.set(app, child);
    await child.ready();
  }

  /**
   * Sends a signal and, when it ends the app, waits until it is gone.
   * @param {App | 'proxy'} app
   * @param {NodeJS.Signals} signal
   * @returns {Promise<void>}
   */
  async kill(app, signal) {
    const child = this.child(app);
    child.kill(signal);
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await child.exited;
  }

  /** Drains and ends everything, in order. @returns {Promise<void>} */
  async stop() {
    for (const app of [...STOP_ORDER, 'proxy']) {
      const child = this.#children.get(app);
      child?.kill('SIGCONT');
      await child?.stop();
    }
  }
}

/**
 * Starts the real apps against a Kafka and waits until each is ready. Fails with the end of the log of the one that is not.
 * @param {{ brokers?: string, prefix?: string, env?: NodeJS.ProcessEnv, apps?: readonly App[], proxy?: boolean,
 *   nodeArgs?: Partial<Record<App, string[]>> }} [options]
 *   brokers: default KAFKA_BROKERS. prefix: of topics and group, default a new one. env: further settings. apps: only these.
 *   nodeArgs: e.g. { fanout: ['--cpu-prof'] }
 * @returns {Promise<System>}
 */
async function startSystem({ brokers = process.env['KAFKA_BROKERS'], prefix, env = {}, apps = APPS, proxy = false, nodeArgs = {} } = {}) {
  if (!brokers) throw new Error('startSystem needs a Kafka: give brokers or KAFKA_BROKERS');
  const ports = await choosePorts();
  const secrets = makeSecrets();
  const topicPrefix = prefix ?? `t${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;
  const logs = path.join(ROOT, '.rivulet', 'test-logs', topicPrefix);
  const system = new System({
    brokers, topicPrefix, apiKey: secrets.RIVULET_START_API_KEY, ports, logs, nodeArgs, hasProxy: proxy,
    env: appEnv({ ports, brokers, secrets, env: { RIVULET_TOPIC_PREFIX: topicPrefix, ...env } }),
  });
  try {
    // The allocator makes the topics the other two need; these start together.
    if (apps.includes('allocator')) await system.restart('allocator');
    await Promise.all(apps.filter((app) => app !== 'allocator').map((app) => system.restart(app)));
    if (proxy) await system.restart('proxy');
    return system;
  } catch (error) {
    await system.stop();
    throw error;
  }
}

module.exports = { APPS, DEFAULT_PORTS, HOST, STOP_ORDER, System, appChild, appEnv, choosePorts, cleanEnv, proxyChild, startSystem };
