// `npm run sim`: the simulation over many seeds; see test/sim/.
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

const USAGE = `npm run sim -- [--seeds COUNT] [--from SEED] [--seed SEED [--verbose]] [--channel]
Runs the simulation of test/sim: COUNT seeds from SEED on, or one. A failing seed prints itself and its last steps.
--channel  all streams of a world are of one channel, which readers follow beside the sessions`;
const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' }, from: { type: 'string' }, seed: { type: 'string' },
    channel: { type: 'boolean', default: false }, verbose: { type: 'boolean', default: false }, help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(USAGE);
  process.exit(0);
}
const require = createRequire(import.meta.url);
require('../test/support/ts-hook.cjs');
const { simulate } = require('../test/sim/simulate.ts');
const { withChannel } = require('../test/sim/with-channel.ts');

const whole = (text, least) => {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= least) return number;
  console.error(`not a number: ${text}\n${USAGE}`);
  process.exit(2);
};
const from = whole(options.seed ?? options.from ?? '1', 0);
const count = options.seed === undefined ? whole(options.seeds, 1) : 1;
const startedAt = performance.now();
const totals = {};
const add = (name, value) => { totals[name] = (totals[name] ?? 0) + value; };
let readers = [];
function onWorld(world) {
  const note = world.note.bind(world);
  if (options.verbose) world.note = (text) => { note(text); console.log(world.notes.at(-1)); };
  if (options.channel) readers = withChannel(world);
}

let failed = 0;
let events = 0;
for (let seed = from; seed < from + count; seed += 1) {
  try {
    const outcome = await simulate(seed, { onWorld });
    events += outcome.events;
    for (const [name, value] of Object.entries(outcome.counts)) add(name, value);
    for (const { counts } of readers) for (const [name, value] of Object.entries(counts)) add(`channel ${name}`, value);
  } catch (error) {
    failed += 1;
    console.log(options.verbose ? error : error.message);
    if (failed >= 10) break;
  }
}
const seconds = (performance.now() - startedAt) / 1000;
console.log(`${count} seeds from ${from}: ${failed} failed, ${events} events, ${seconds.toFixed(1)} s, ${((1000 * seconds) / count).toFixed(1)} ms each`);
console.log(Object.entries(totals).map(([name, value]) => `${name} ${value}`).join(', '));
process.exitCode = failed === 0 ? 0 : 1;
