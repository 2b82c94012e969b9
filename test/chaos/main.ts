/** `npm run chaos`: see USAGE. */
import { parseArgs } from 'node:util';
import { runChaos } from './chaos';
import type { ChaosOptions } from './chaos';
import { FAULTS } from './faults';
import { report } from './report';

const USAGE = `npm run chaos -- [--minutes=10] [--seed=N] [--fanout=3] [--ingest=2] [--allocator=2] [--rate=400] [--producers=1] [--only=KIND,…]
  --minutes     how long faults are injected; producers and sessions then finish
  --seed        of the schedule, the producers and the sessions; printed when none is given
  --rate        fragments per second of each of the 4 bulk producers
  --producers   multiplies the number of paced producers
  --only        kinds of faults to choose from: ${Object.keys(FAULTS).join(', ')}
Needs Java 17 and Maven, or Docker. Exits with 1 when anything acknowledged was lost, doubled, reordered or stale.`;
const MINUTE_MS = 60_000;
const INTERRUPTED = new Error('interrupted');

const { values } = parseArgs({ options: {
  minutes: { type: 'string', default: '10' }, seed: { type: 'string', default: '' }, fanout: { type: 'string', default: '3' },
  ingest: { type: 'string', default: '2' }, allocator: { type: 'string', default: '2' }, rate: { type: 'string', default: '400' },
  producers: { type: 'string', default: '1' }, only: { type: 'string', default: '' }, help: { type: 'boolean', default: false },
} });

function number(name: 'minutes' | 'fanout' | 'ingest' | 'allocator' | 'rate' | 'producers'): number {
  const value = Number(values[name]);
  if (!(value > 0)) throw new Error(`--${name}=${values[name]} is not a number above 0\n${USAGE}`);
  return value;
}

function kindOf(name: string): string {
  if (!(name in FAULTS)) throw new Error(`--only=${name}: there is no such fault\n${USAGE}`);
  return name;
}

function options(): ChaosOptions {
  const times = (count: number): number => Math.max(1, Math.round(count * number('producers')));
  return {
    seed: values.seed || String(Date.now() % 1_000_000),
    durationMs: number('minutes') * MINUTE_MS,
    producers: { ndjson: 4, sdk: times(8), raw: times(5), crash: times(6), zombie: times(2), cancel: times(2), pipe: times(4) },
    fragments: [50, 400], intervalMs: [20, 120], perSecond: number('rate'),
    calmMs: [1500, 5000], pairProbability: 0.25, pace: 1,
    counts: { fanout: number('fanout'), ingest: number('ingest'), allocator: number('allocator') },
    finishMsMax: 2 * MINUTE_MS,
    only: values.only ? values.only.split(',').map(kindOf) : undefined,
    say: (line) => console.log(line),
  };
}

/** @returns the exit code */
async function main(): Promise<number> {
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const chosen = options();
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      console.log('stopping everything');
      interrupted.abort(INTERRUPTED);
    });
  }
  console.log(`seed ${chosen.seed}, ${values.minutes} min`);
  const result = await runChaos(chosen, interrupted.signal);
  console.log(report(result));
  const again = Object.entries(values).filter(([name, value]) => name !== 'seed' && name !== 'help' && value)
    .map(([name, value]) => `'--${name}=${value}'`);
  if (result.breaches.length > 0) console.log(`Again: npm run chaos -- --seed=${chosen.seed} ${again.join(' ')}`);
  return result.breaches.length === 0 ? 0 : 1;
}

// Producers that could not finish still try: the run is over all the same.
void main().then((code) => process.exit(code), (error: unknown) => {
  console.error(error === INTERRUPTED ? INTERRUPTED.message : error);
  process.exit(1);
});
