import { Command, InvalidArgumentError } from 'commander';
import { StreamError } from '@rivulet/protocol';
import { Check } from './check';
import type { Checked } from './check';
import { checkKafka } from './check-kafka';
import { checkPlugins } from './check-plugins';
import { checkCors, checkService } from './check-service';
import { checkDeadLetters, checkRecent, checkStream } from './check-streams';
import { checkToken, SCOPES } from './check-token';
import type { Scope } from './check-token';
import { withExamples } from './examples';
import { openLogAt } from './log-access';
import type { OpenedLog } from './log-access';
import { putJson, putLine, tell } from './output';
import { checkBrokerClock, checkBuffering, checkSocket, openProbe } from './probe';
import type { Probe } from './probe';
import { kafkaPlace, servicePlace, withJson, withKafka, withService } from './settings';
import type { KafkaOptions, KafkaPlace, ServiceOptions, ServicePlace } from './settings';

/** In the order in which they are made; `service` always is. */
const CHECKS = ['token', 'clocks', 'buffering', 'websocket', 'cors', 'streams', 'plugins', 'kafka', 'dead-letters'] as const;
type CheckName = (typeof CHECKS)[number];
interface DoctorOptions extends ServiceOptions, KafkaOptions { origin?: string; need?: Scope[]; only?: CheckName[] }

export function doctorCommand(): Command {
  const command = new Command('doctor')
    .summary('find out what is wrong, with one remedy each')
    .description('Find out what is wrong: service, credential, clocks, buffering proxies, WebSockets, CORS, Kafka and its topics, streams, plugins. One remedy for each finding; exit code 1 on any.')
    .argument('[streamNo]', 'also look at this stream: why it is missing, failed, or in pieces')
    .option('--origin <origin>', 'also check that pages of this origin may call (CORS)')
    .option('--need <scope,…>', `what the credential must allow, of ${SCOPES.join(', ')} (default: open,write,read for an API key)`, listOf('scope', SCOPES))
    .option('--only <check,…>', `make only these checks, of ${CHECKS.join(', ')}`, listOf('check', CHECKS));
  return withExamples(withJson(withKafka(withService(command)), 'all checks as one JSON object'),
    'rivulet doctor', 'rivulet doctor --brokers localhost:9092 --origin https://app.example.org', 'rivulet doctor 20d2125e6h820nmsma8x7sk8y9zj2htf')
    .action(doctor);
}

const listOf = <T extends string>(what: string, known: readonly T[]) => (text: string): T[] => text.split(',').map((part) => {
  const one = known.find((name) => name === part.trim());
  if (one === undefined) throw new InvalidArgumentError(`There is no ${what} ${part}; there are ${known.join(', ')}.`);
  return one;
});

async function doctor(streamNo: string | undefined, options: DoctorOptions): Promise<void> {
  const place = servicePlace(options);
  const kafka = kafkaPlace(options);
  const checked: Checked[] = [];
  for await (const one of checks(place, kafka, streamNo, options)) {
    checked.push(one);
    if (!options.json) await putLine(textOf(one));
  }
  const findings = checked.reduce((sum, one) => sum + one.findings.length, 0);
  if (options.json) await putJson({ url: place.url, findings, checks: checked });
  else tell(findings === 0 ? 'nothing found' : `${findings} ${findings === 1 ? 'finding' : 'findings'}`);
  if (findings > 0) process.exitCode = 1;
}

async function* checks(
  place: ServicePlace, kafka: KafkaPlace | null, streamNo: string | undefined, options: DoctorOptions,
): AsyncGenerator<Checked> {
  const isWanted = (name: CheckName): boolean => options.only?.includes(name) ?? true;
  const service = new Check('service');
  const isThere = await checkService(service, place);
  yield service.result;
  if (isThere) yield* checksOfService(place, streamNo, options, isWanted);
  if (!isWanted('kafka') && !isWanted('dead-letters')) return;
  if (kafka === null) return yield skipped('kafka', 'no --brokers or KAFKA_BROKERS were given');
  const check = await run('kafka', (one) => checkKafka(one, kafka));
  yield check;
  const isReadable = !check.findings.some(({ code }) => code === 'KAFKA_UNREACHABLE' || code === 'TOPIC_MISSING');
  if (isReadable && isWanted('dead-letters')) yield await run('dead-letters', (one) => inLog(kafka, (opened) => checkDeadLetters(one, opened, streamNo)));
}

async function inLog(kafka: KafkaPlace, work: (opened: OpenedLog) => Promise<void>): Promise<void> {
  const opened = await openLogAt(kafka);
  try {
    await work(opened);
  } finally {
    await opened.close();
  }
}

async function* checksOfService(
  place: ServicePlace, streamNo: string | undefined, options: DoctorOptions, isWanted: (name: CheckName) => boolean,
): AsyncGenerator<Checked> {
  const probing: [CheckName, (check: Check, probe: Probe) => Promise<void>][] = [
    ['clocks', (check, probe) => checkBrokerClock(check, place, probe)],
    ['buffering', (check, probe) => checkBuffering(check, place, probe)],
    ['websocket', checkSocket],
  ];
  const isProbed = isWanted('token') || probing.some(([name]) => isWanted(name));
  const probe = isProbed ? await openProbe(place).catch(() => null) : null;
  if (isWanted('token')) yield await run('token', (check) => checkToken(check, place, probe, options.need ?? null));
  for (const [name, work] of probing.filter(([one]) => isWanted(one))) {
    if (probe !== null && 'opened' in probe) yield await run(name, (check) => work(check, probe));
    else yield skipped(name, 'this credential cannot open a stream to measure with');
  }
  const { origin } = options;
  if (origin !== undefined && isWanted('cors')) yield await run('cors', (check) => checkCors(check, place, origin));
  else if (isWanted('cors')) yield skipped('cors', 'no --origin was given');
  if (isWanted('streams')) yield await run('streams', (check) => (streamNo === undefined ? checkRecent(check, place) : checkStream(check, place, streamNo)));
  if (isWanted('plugins')) yield await run('plugins', (check) => checkPlugins(check, place));
}

/** A check that breaks off is a finding of its own: the others go on. */
async function run(name: string, work: (check: Check) => Promise<void>): Promise<Checked> {
  const check = new Check(name);
  try {
    await work(check);
  } catch (error) {
    const known = error instanceof StreamError ? error : null;
    if (known !== null) check.found(known.code, known.details.detail ?? known.row.text, known.row.text);
    else check.found('CHECK_BROKE_OFF', String((error as Error).message ?? error), 'Run it again; when it stays, report it with the output of --json.');
  }
  return check.result;
}

function skipped(name: string, reason: string): Checked {
  const check = new Check(name);
  check.skip(reason);
  return check.result;
}

function textOf({ check, facts, findings, skipped: reason }: Checked): string {
  const name = check.padEnd(13);
  const seen = [...facts, ...(reason === undefined ? [] : [`not checked: ${reason}`])].join('; ');
  if (findings.length === 0) return `${reason === undefined ? 'ok ' : '-- '} ${name}${seen}`;
  const lines = findings.flatMap(({ code, what, remedy }) => [`!!  ${name}${code}: ${what}`, `    ${' '.repeat(13)}remedy: ${remedy}`]);
  return [...(seen === '' ? [] : [`    ${name}${seen}`]), ...lines].join('\n');
}
