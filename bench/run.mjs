// npm run bench [-- --quick] [--json FILE] [--only QUESTION,QUESTION]
// Starts a Kafka and the services, asks each question beside its reference, prints a table. docs: README, "Numbers".
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { prepare } from '../tools/prepare.mjs';

const { values: options } = parseArgs({ options: { quick: { type: 'boolean', default: false }, json: { type: 'string' }, only: { type: 'string' }, help: { type: 'boolean', default: false } } });
/** A question that starts its system itself. */
const OWN = 'own';
/** Each question and the system it is asked of; null: none. */
const SYSTEMS = {
  rates: null,
  latency: { proxy: true },
  throughput: {},
  priority: {},
  memory: {},
  restore: {},
  'fan-out': {},
  'slow-reader': {},
  file: { counts: { fanout: 2 }, proxy: true },
  drops: { counts: { fanout: 2 }, proxy: true },
  storm: {},
  follower: { counts: { fanout: 2 } },
  scale: { counts: { fanout: 2 } },
  failover: { counts: { fanout: 3 }, proxy: true },
  plugins: OWN,
  takeover: { counts: { fanout: 2 }, env: { RIVULET_LOG_LEVEL: 'debug' } },
};
const QUESTIONS = Object.keys(SYSTEMS);
if (options.help) {
  console.log(`npm run bench [-- --quick] [--json FILE] [--only ${QUESTIONS.join(',')}]\n  --quick  shorter, in some minutes\n  --json   also write the rows {question, metric, value, unit, reference, ratio, target, met} to FILE\n  KAFKA_BROKERS uses that Kafka instead of starting one.`);
  process.exit(0);
}
const chosen = options.only?.split(',') ?? QUESTIONS;
const unknown = chosen.filter((name) => !QUESTIONS.includes(name));
if (unknown.length > 0) {
  console.error(`bench: no such question: ${unknown.join(', ')}. There are ${QUESTIONS.join(', ')}.`);
  process.exit(2);
}
await prepare();

const require = createRequire(import.meta.url);
const { startSystem } = require('../tools/system.cjs');
const { localBrokerMissing, startLocalBroker } = require('../tools/local-broker.cjs');
const { machine, print } = await import('./report.mjs');
const folder = mkdtempSync(path.join(os.tmpdir(), 'rivulet-bench-'));
let broker = null; let system = null;
const rows = [];
try {
  for (const line of machine()) console.log(`bench: ${line}`);
  let brokers = process.env.KAFKA_BROKERS;
  if (!brokers && chosen.some((name) => SYSTEMS[name])) {
    const missing = await localBrokerMissing();
    if (missing) throw new Error(`The bench starts a Kafka of its own from Java and Maven (${missing}). Set KAFKA_BROKERS to use another one.`);
    console.log('bench: starting a local Kafka');
    broker = await startLocalBroker({ folder });
    ({ brokers } = broker);
  }
  for (const name of chosen) {
    const start = performance.now();
    console.log(`bench: ${name} …`);
    const question = (await import(`./${name}.mjs`))[name.replace(/-(.)/g, (_, letter) => letter.toUpperCase())];
    // Each question gets services of its own: what one leaves in memory must not weigh on the next.
    if (SYSTEMS[name] && SYSTEMS[name] !== OWN) system = await startSystem({ brokers, ...SYSTEMS[name] });
    const isQuick = options.quick;
    rows.push(...await question({ system, brokers, isQuick }));
    await system?.stop();
    system = null;
    console.log(`bench: ${name} took ${((performance.now() - start) / 1000).toFixed(0)} s`);
  }
} finally {
  await system?.stop();
  await broker?.stop();
  rmSync(folder, { recursive: true, force: true });
}
console.log();
print(rows);
if (options.json) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
const missed = rows.filter((entry) => entry.met === false);
console.log(missed.length === 0 ? '\nbench: every target met' : `\nbench: ${missed.length} target${missed.length > 1 ? 's' : ''} missed: ${missed.map(({ question, metric }) => `${question}: ${metric}`).join('; ')}`);
