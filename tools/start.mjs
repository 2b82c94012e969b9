// `npm start`: installs, builds, finds or starts a Kafka, runs the services behind one origin, says how to use them.
// Ctrl-C stops all of it.
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { prepare, ROOT, step } from './prepare.mjs';
import { singleStart } from './single-start.mjs';
import { findKafka, THREE_WAYS } from './start-kafka.mjs';
import { Supervisor } from './supervise.mjs';
import { Child } from './processes.cjs';
import { keepSecrets } from './secrets.cjs';
import { ALL_APPS, appChild, appEnv, choosePlaces, DEFAULT_PORTS, HOST, INSTANCES_MAX, instanceName, proxyChild, STOP_ORDER } from './system.cjs';

const USAGE = `npm start [-- OPTIONS]
  --port=7100   port of the one origin
  --fanout=1 --ingest=1 --allocator=1 --plugins=1   how many of each to run; of plugin hosts also 0
  --kafka       fail when there is no Kafka, instead of running on the memory log
  --memory      run on the memory log: everything in one process, nothing is durable
Kafka is looked for in this order:
${THREE_WAYS}
RIVULET_* variables go to the services (docs/CONFIG.md). Logs, keys and data are kept in .rivulet/`;
const FOLDER = path.join(ROOT, '.rivulet');
const LOGS = path.join(FOLDER, 'logs');

const { values: options } = parseArgs({ options: {
  port: { type: 'string' }, fanout: { type: 'string', default: '1' }, ingest: { type: 'string', default: '1' }, allocator: { type: 'string', default: '1' },
  plugins: { type: 'string', default: '1' },
  kafka: { type: 'boolean', default: false }, memory: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} });
if (options.help) {
  console.log(USAGE);
  process.exit(0);
}

const supervisor = new Supervisor((reason) => void stop(`${reason}; see .rivulet/logs`, 1));
const single = singleStart(path.join(FOLDER, 'start.json'));
let stopping = null;

function stop(reason, code) {
  stopping ??= (async () => {
    console.log(`\n${reason}`);
    const services = STOP_ORDER.flatMap((app) => Array.from({ length: INSTANCES_MAX }, (_, index) => instanceName(app, index)));
    await supervisor.stop([...services, 'standalone', 'proxy', 'kafka']);
    single.release();
    console.log('Stopped.');
    process.exit(code);
  })();
  return stopping;
}

/** The settings of the shell that are for the services. */
function settings() {
  const names = Object.keys(process.env).filter((name) => name.startsWith('RIVULET_') && !name.startsWith('RIVULET_START_'));
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}

function countOf(app) {
  const count = Number(options[app]);
  const least = app === 'plugins' ? 0 : 1;
  if (Number.isInteger(count) && count >= least && count <= INSTANCES_MAX) return count;
  throw new Error(`--${app}=${options[app]}: give a number from ${least} to ${INSTANCES_MAX}`);
}

async function choose() {
  const preferred = { ...DEFAULT_PORTS };
  if (options.port !== undefined) preferred.proxy = Number(options.port);
  for (const app of ALL_APPS) preferred[app] = Number(process.env[`RIVULET_${app.toUpperCase()}_PORT`] || preferred[app]);
  const places = await choosePlaces({ preferred, counts: Object.fromEntries(ALL_APPS.map((app) => [app, countOf(app)])) });
  if (options.port !== undefined && places.proxy !== preferred.proxy) throw new Error(`Port ${options.port} is taken; give another one with --port.`);
  const chosen = { proxy: places.proxy, grpc: places.allocator[0].grpcPort };
  for (const app of ALL_APPS) chosen[app] = places[app][0]?.port;
  const moved = Object.keys(preferred).filter((name) => chosen[name] !== undefined && chosen[name] !== preferred[name]);
  if (moved.length > 0) console.log(`Taken: ${moved.map((name) => `port ${preferred[name]} (${name} uses ${chosen[name]})`).join(', ')}`);
  return places;
}

/** Starts a child, waits until it is ready, and keeps it running. */
async function launch(name, make) {
  const start = async () => {
    const child = make();
    await child.ready();
    return child;
  };
  const child = make();
  // Kept from here on, so that a Ctrl-C while it starts stops it too.
  supervisor.keep(name, child, start);
  await child.ready();
}

async function startOnKafka(kafka, places, secrets) {
  const env = appEnv({ places, brokers: kafka.brokers, secrets, env: settings() });
  const start = (app, place) => launch(place.name, () => appChild(app, place, { env, logs: LOGS }));
  const all = ALL_APPS.flatMap((app) => places[app].map((place) => [app, place]));
  await step(`Starting ${all.map(([, { name }]) => name).join(', ')} and proxy`, async () => {
    // The first allocator makes the topics that all others need.
    await start(...all[0]);
    await Promise.all(all.slice(1).map(([app, place]) => start(app, place)));
    await launch('proxy', () => proxyChild({ places, logs: LOGS }));
  });
  for (const name of [...all.map(([, place]) => place.name), 'proxy']) supervisor.echo(name, path.join(LOGS, `${name}.log`));
}

async function startOnMemory(port, secrets) {
  const { RIVULET_START_API_KEY: _, ...appSecrets } = secrets;
  const env = { ...process.env, ...appSecrets, RIVULET_LOG: 'memory', RIVULET_STANDALONE_PORT: String(port), RIVULET_PUBLIC_URL: `http://${HOST}:${port}` };
  const logFile = path.join(LOGS, 'standalone.log');
  const make = () => new Child({ name: 'standalone', script: 'apps/standalone/dist/main.js', env, logFile, readyUrl: `http://${HOST}:${port}/readyz` });
  await step('Starting everything in one process', () => launch('standalone', make));
  supervisor.echo('standalone', logFile, { isPlain: true });
}

const BANNER = `
  ****************************************************************************
  *  MEMORY LOG: nothing is durable. All streams are gone when this stops.   *
  ****************************************************************************
  For a real Kafka:
${THREE_WAYS}
`;

function say(what, url, key) {
  const pipe = `curl -sSN -T . -H 'Authorization: Bearer ${key}' -H 'Content-Type: text/plain' '${url}/v1/pipe?channel=demo'`;
  console.log(`
Rivulet is running on ${what}

  Page   ${url}/#key=${key}
  API    ${url}/v1
  Key    ${key}
  Logs   .rivulet/logs

Send a text that grows word by word. The answer names its stream at once, and says at the end what the log holds:

  for word in This text arrives in pieces, in order and once.; do printf '%s ' "$word"; sleep 0.4; done | ${pipe}

Watch it grow, in a second terminal (every stream of the channel, from its beginning):

  curl -sSN -H 'Authorization: Bearer ${key}' '${url}/v1/watch/channels/demo/events'

Ctrl-C stops everything.
`);
}

async function main() {
  await single.acquire();
  await prepare();
  fs.rmSync(LOGS, { recursive: true, force: true });
  fs.mkdirSync(LOGS, { recursive: true });
  const secrets = keepSecrets(path.join(FOLDER, 'dev.env'));
  if (process.env.RIVULET_API_KEYS) secrets.RIVULET_API_KEYS += `,${process.env.RIVULET_API_KEYS}`;
  const kafka = options.memory ? null : await findKafka(path.join(LOGS, 'kafka.log'));
  if (!kafka && options.kafka) throw new Error(`There is no Kafka. Three ways to one:\n${THREE_WAYS}`);
  if (kafka?.restart) supervisor.keep('kafka', kafka, () => kafka.restart());
  const places = await choose();
  const url = `http://${HOST}:${places.proxy}`;
  single.note({ url, broker: kafka?.pid, brokers: kafka?.brokers });
  if (kafka) await startOnKafka(kafka, places, secrets);
  else await startOnMemory(places.proxy, secrets);
  if (!kafka) console.log(BANNER);
  say(kafka ? `Kafka: ${kafka.what}` : 'the memory log', url, secrets.RIVULET_START_API_KEY);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void stop('Draining and stopping; this takes a few seconds.', 0));
await main().catch((error) => stop(`Could not start. ${error.message}`, 1));
