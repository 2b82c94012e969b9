'use strict';
// The services as real processes from dist, on free ports: for tests, the demo, the benches and chaos. `npm start` has the same parts.
const path = require('node:path');
const { freePort } = require('./free-port.cjs');
const { Child, ROOT } = require('./processes.cjs');
const { makeSecrets } = require('./secrets.cjs');

const HOST = '127.0.0.1';
/** The second instance of an app prefers the port of the first plus this, the third twice this. */
const PORT_STEP = 20;
const INSTANCES_MAX = 9;

/** @typedef {'allocator' | 'ingest' | 'fanout' | 'plugins'} App */
/** @typedef {{ allocator: number, grpc: number, ingest: number, fanout: number, plugins: number, proxy: number }} Ports */
/** @typedef {Partial<Record<App, number>>} Counts how many instances; where nothing is said one, of plugins none */
/** @typedef {{ name: string, port: number, grpcPort: number, url: string }} Place of one instance; grpcPort 0: it has none */
/** @typedef {Record<App, Place[]> & { proxy: number }} Places */
/** @type {readonly App[]} in order of start */
const APPS = ['allocator', 'ingest', 'fanout'];
/** @type {readonly App[]} */
const ALL_APPS = [...APPS, 'plugins'];
/**
 * Plugins first: they write through ingest; then ingest: no new fragments while sessions get the last ones; the allocator last: all others
 * ask it. @type {readonly App[]}
 */
const STOP_ORDER = ['plugins', 'ingest', 'fanout', 'allocator'];
/** @type {Ports} */
const DEFAULT_PORTS = { proxy: 7100, allocator: 7101, ingest: 7102, fanout: 7103, plugins: 7104, grpc: 7111 };

/** @param {string} app @param {number} index from 0 @returns {string} of the child and its log file: fanout, fanout-2, … */
const instanceName = (app, index) => (index === 0 ? app : `${app}-${index + 1}`);

/**
 * @param {{ counts?: Counts, preferred?: Partial<Ports> }} [options] preferred: ports of the first instances, while they are free
 * @returns {Promise<Places>}
 */
async function choosePlaces({ counts = {}, preferred = {} } = {}) {
  const taken = new Set();
  /** @param {keyof Ports} name @param {number} [index] */
  const choose = async (name, index = 0) => {
    const first = preferred[name];
    for (let wanted = first && first + index * PORT_STEP; ; wanted = 0) {
      // Nothing listens yet, so the system may offer a port twice.
      const port = await freePort(wanted);
      if (!taken.has(port)) {
        taken.add(port);
        return port;
      }
    }
  };
  /** @type {Places} */
  const places = { proxy: await choose('proxy'), allocator: [], ingest: [], fanout: [], plugins: [] };
  for (const app of ALL_APPS) {
    const least = app === 'plugins' ? 0 : 1;
    const count = counts[app] ?? least;
    if (!(count >= least && count <= INSTANCES_MAX)) throw new Error(`${count} instances of ${app}: ${least} to ${INSTANCES_MAX} can be started`);
    for (let index = 0; index < count; index++) {
      const port = await choose(app, index);
      const grpcPort = app === 'allocator' ? await choose('grpc', index) : 0;
      places[app].push({ name: instanceName(app, index), port, grpcPort, url: `http://${HOST}:${port}` });
    }
  }
  return places;
}

/** The environment without our names: a variable in the developer's shell must not change what a test or a start means. */
function cleanEnv() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('RIVULET_')));
}

/**
 * @param {{ places: Places, brokers: string, secrets: NodeJS.ProcessEnv, env?: NodeJS.ProcessEnv }} options
 *   env: further settings, for all apps; they win over everything but addresses
 * @returns {NodeJS.ProcessEnv} what all apps get; each has its own ports beside it
 */
function appEnv({ places, brokers, secrets, env = {} }) {
  const { RIVULET_START_API_KEY: _, ...appSecrets } = secrets;
  return {
    ...cleanEnv(),
    ...appSecrets,
    ...env,
    RIVULET_LOG: 'kafka',
    KAFKA_BROKERS: brokers,
    RIVULET_HOST: HOST,
    RIVULET_PUBLIC_URL: `http://${HOST}:${places.proxy}`,
    // The first of each: its port stays the same when it is started again.
    RIVULET_PLUGINS_INGEST_URL: places.ingest[0]?.url,
    RIVULET_PLUGINS_WATCH_URL: places.fanout[0]?.url,
    RIVULET_ALLOCATOR_PLUGIN_HOSTS: places.plugins.map(({ url }) => url).join(','),
    RIVULET_ALLOCATOR_GRPC_ADDRESS: places.allocator.map(({ grpcPort }) => `${HOST}:${grpcPort}`).join(','),
  };
}

/**
 * @param {App} app
 * @param {Place} place
 * @param {{ env: NodeJS.ProcessEnv, logs: string, nodeArgs?: string[] }} options logs: folder
 */
const appChild = (app, place, { env, logs, nodeArgs }) => new Child({
  name: place.name, script: `apps/${app}/dist/main.js`, nodeArgs,
  env: {
    ...env,
    [`RIVULET_${app.toUpperCase()}_PORT`]: String(place.port),
    ...(place.grpcPort ? { RIVULET_ALLOCATOR_GRPC_PORT: String(place.grpcPort) } : {}),
  },
  logFile: path.join(logs, `${place.name}.log`), readyUrl: `${place.url}/readyz`,
});

/** @param {{ places: Places, logs: string }} options */
const proxyChild = ({ places, logs }) => new Child({
  name: 'proxy', script: 'tools/proxy.mjs', env: cleanEnv(),
  args: [`--port=${places.proxy}`, `--host=${HOST}`, ...ALL_APPS.filter((app) => places[app].length > 0).map((app) => `--${app}=${places[app].map(({ url }) => url).join(',')}`)],
  logFile: path.join(logs, 'proxy.log'), readyUrl: `http://${HOST}:${places.proxy}/readyz`,
});

/** A running system. Where a method takes an index it is the instance, from 0; without one the first. */
class System {
  /** @type {Map<string, Child>} */
  #children = new Map();
  #options;

  /**
   * @param {{ brokers: string, topicPrefix: string, apiKey: string, places: Places, env: NodeJS.ProcessEnv, logs: string,
   *   nodeArgs: Partial<Record<App, string[]>>, hasProxy: boolean }} options
   */
  constructor(options) {
    this.#options = options;
    const { brokers, topicPrefix, apiKey, places, logs, hasProxy } = options;
    this.brokers = brokers;
    this.topicPrefix = topicPrefix;
    this.apiKey = apiKey;
    /** Folder of the log files. */
    this.logs = logs;
    /** @type {Record<App, Place[]>} */
    this.instances = { allocator: places.allocator, ingest: places.ingest, fanout: places.fanout, plugins: places.plugins };
    const first = (/** @type {App} */ app) => places[app][0]?.url ?? '';
    /** Of the first instances; '' where there is none. */
    this.urls = { allocator: first('allocator'), ingest: first('ingest'), fanout: first('fanout'), plugins: first('plugins'), proxy: hasProxy ? `http://${HOST}:${places.proxy}` : '' };
  }

  /** @param {App | 'proxy'} app @param {number} [index] @returns {Child} */
  child(app, index = 0) {
    const name = instanceName(app, index);
    const child = this.#children.get(name);
    if (!child) throw new Error(`${name} was not started`);
    return child;
  }

  /** @param {App | 'proxy'} app @param {number} [index] @returns {number} process id */
  pid(app, index = 0) {
    return this.child(app, index).pid;
  }

  /** Starts an instance (again) and waits until it is ready. @param {App | 'proxy'} app @param {number} [index] @returns {Promise<void>} */
  async restart(app, index = 0) {
    const name = instanceName(app, index);
    const before = this.#children.get(name);
    if (before && !before.isGone) await before.stop();
    const child = this.#spawn(app, index);
    this.#children.set(name, child);
    await child.ready();
  }

  /** @param {App | 'proxy'} app @param {number} index */
  #spawn(app, index) {
    const { places, env, logs, nodeArgs } = this.#options;
    if (app === 'proxy') return proxyChild({ places, logs });
    const place = places[app][index];
    if (!place) throw new Error(`there is no instance ${index} of ${app}`);
    return appChild(app, place, { env, logs, nodeArgs: nodeArgs[app] });
  }

  /**
   * Sends a signal and, when it ends the instance, waits until it is gone.
   * @param {App | 'proxy'} app
   * @param {NodeJS.Signals} signal
   * @param {number} [index]
   * @returns {Promise<void>}
   */
  async kill(app, signal, index = 0) {
    const child = this.child(app, index);
    child.kill(signal);
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await child.exited;
  }

  /** Drains and ends everything, in order. @returns {Promise<void>} */
  async stop() {
    for (const app of STOP_ORDER) await Promise.all(this.instances[app].map((_, index) => this.#end(instanceName(app, index))));
    await this.#end('proxy');
  }

  /** @param {string} name */
  async #end(name) {
    const child = this.#children.get(name);
    child?.kill('SIGCONT');
    await child?.stop();
  }
}

/**
 * Starts the real apps against a Kafka and waits until each is ready. Fails with the end of the log of the one that is not.
 * @param {{ brokers?: string, prefix?: string, env?: NodeJS.ProcessEnv, apps?: readonly App[], proxy?: boolean, counts?: Counts,
 *   nodeArgs?: Partial<Record<App, string[]>> }} [options]
 *   brokers: default KAFKA_BROKERS. prefix: of topics and group, default a new one. env: further settings. apps: only these.
 *   counts: instances of each, e.g. { fanout: 3 }. nodeArgs: e.g. { fanout: ['--cpu-prof'] }
 * @returns {Promise<System>}
 */
async function startSystem({ brokers = process.env['KAFKA_BROKERS'], prefix, env = {}, apps = ALL_APPS, proxy = false, counts = {}, nodeArgs = {} } = {}) {
  if (!brokers) throw new Error('startSystem needs a Kafka: give brokers or KAFKA_BROKERS');
  const places = await choosePlaces({ counts });
  const secrets = makeSecrets();
  const topicPrefix = prefix ?? `t${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;
  const logs = path.join(ROOT, '.rivulet', 'test-logs', topicPrefix);
  const system = new System({
    brokers, topicPrefix, apiKey: secrets.RIVULET_START_API_KEY, places, logs, nodeArgs, hasProxy: proxy,
    env: appEnv({ places, brokers, secrets, env: { RIVULET_TOPIC_PREFIX: topicPrefix, ...env } }),
  });
  try {
    // The first allocator makes the topics that all others need; these start together.
    if (apps.includes('allocator')) await system.restart('allocator');
    const isFirst = (/** @type {App} */ app, /** @type {number} */ index) => app === 'allocator' && index === 0;
    await Promise.all(apps.flatMap((app) => places[app].map((_, index) => isFirst(app, index) || system.restart(app, index))));
    if (proxy) await system.restart('proxy');
    return system;
  } catch (error) {
    await system.stop();
    throw error;
  }
}

module.exports = {
  ALL_APPS, APPS, DEFAULT_PORTS, HOST, INSTANCES_MAX, STOP_ORDER, System, appChild, appEnv, choosePlaces, cleanEnv, instanceName,
  proxyChild, startSystem,
};
