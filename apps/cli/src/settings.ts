import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { UsageError } from './exit-codes';

/** What every command that talks to the service is given, by flag, environment, or the `npm start` of the checkout we stand in. */
export interface ServiceOptions { url?: string; token?: string; json?: boolean }
export interface KafkaOptions { brokers?: string; topicPrefix?: string }
export interface ServicePlace { url: string; token: string }
export interface KafkaPlace { brokers: string[]; topicPrefix: string }

const DEFAULT_URL = 'http://127.0.0.1:7100';

export const withService = (command: Command): Command => command
  .option('--url <url>', 'base URL of the installation (RIVULET_URL)')
  .option('--token <token>', 'API key or token; better in RIVULET_TOKEN, where other users of the machine cannot see it');

export const withJson = (command: Command, what = 'answer in JSON'): Command => command.option('--json', what);

export const withKafka = (command: Command): Command => command
  .option('--brokers <host:port,…>', 'Kafka brokers (KAFKA_BROKERS)')
  .option('--topic-prefix <prefix>', 'first part of the topic names (RIVULET_TOPIC_PREFIX; default rivulet)');

/** @throws UsageError */
export function servicePlace(options: ServiceOptions, env = process.env, folder = process.cwd()): ServicePlace {
  const started = startedHere(folder);
  const url = options.url ?? env['RIVULET_URL'] ?? started.url ?? DEFAULT_URL;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw new UsageError(`${url} is not the URL of an installation, such as ${DEFAULT_URL}.`);
  // A key made for the installation of this checkout is shown to no other one.
  const isOfStart = started.url !== undefined && new URL(url).origin === new URL(started.url).origin;
  return { url: url.replace(/\/+$/, ''), token: options.token ?? env['RIVULET_TOKEN'] ?? (isOfStart ? started.token : undefined) ?? '' };
}

/** @returns null when nothing names a broker */
export function kafkaPlace(options: KafkaOptions, env = process.env, folder = process.cwd()): KafkaPlace | null {
  const given = options.brokers ?? env['KAFKA_BROKERS'] ?? startedHere(folder).brokers ?? '';
  const brokers = given.split(',').map((one) => one.trim()).filter((one) => one !== '');
  const wrong = brokers.find((one) => !/^[^\s/]+:\d{1,5}$/.test(one));
  if (wrong !== undefined) throw new UsageError(`${wrong} is not a broker; write host:port.`);
  return brokers.length === 0 ? null : { brokers, topicPrefix: options.topicPrefix ?? env['RIVULET_TOPIC_PREFIX'] ?? 'rivulet' };
}

/** @throws UsageError */
export function neededKafka(options: KafkaOptions): KafkaPlace {
  const place = kafkaPlace(options);
  if (place === null) throw new UsageError('This reads the log itself: name its Kafka with --brokers host:port or KAFKA_BROKERS.');
  return place;
}

/** What `npm start` keeps in .rivulet of its checkout: looked for upwards, taken only when it is there. */
function startedHere(folder: string): { url?: string; token?: string; brokers?: string } {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    const start = path.join(at, '.rivulet', 'start.json');
    if (existsSync(start)) return readStart(start, path.join(at, '.rivulet', 'dev.env'));
    if (path.dirname(at) === at) return {};
  }
}

function readStart(start: string, secrets: string): { url?: string; token?: string; brokers?: string } {
  const { url, brokers } = JSON.parse(readFileSync(start, 'utf8')) as { url?: string; brokers?: string };
  const token = existsSync(secrets) ? /^RIVULET_START_API_KEY=(.+)$/m.exec(readFileSync(secrets, 'utf8'))?.[1] : undefined;
  return { url, brokers, token };
}
