import { z } from 'zod';
import { FAULTS } from './plugin-faults';

const fault = z.object({
  code: z.enum(FAULTS), detail: z.string(), remedy: z.string(), field: z.string().optional(), nextAt: z.number().optional(),
});
const states = ['fetching', 'verifying', 'starting', 'running', 'disabled', ...FAULTS] as const;

const pluginReport = z.object({
  kind: z.literal('plugin'), host: z.string(), plugin: z.string(), version: z.string(), digest: z.string(), state: z.enum(states),
  fault: fault.nullable(), restarts: z.number(), at: z.number(), hooks: z.array(z.string()),
  /** How it opens its streams, for hosts that have it not running; null until it has loaded once. */
  stream: z.record(z.unknown()).nullable(),
  /** SHA-256 of the package, of what is installed; '' of what ships or lies in a folder. */
  packageDigest: z.string().default(''),
  /** Where its configuration comes from. */
  config: z.enum(['stored', 'environment', 'none']).default('none'),
});
const answerRow = z.object({
  streamNo: z.string(), plugin: z.string(), channel: z.string(), state: z.enum(['waiting', 'answering']), epoch: z.number(), startedAt: z.number(),
  /** As the plugin says by stream.progress; absent while it has said nothing. */
  done: z.number().optional(), total: z.number().optional(), note: z.string().optional(),
});
export type AnswerRow = z.output<typeof answerRow>;
/** Of the newest of a host: a report is for people, and small. */
export const ANSWERS_MAX = 50;

const hostReport = z.object({
  kind: z.literal('host'), host: z.string(), instance: z.string(), at: z.number(), reportMs: z.number(),
  /** Of `rivulet.requests`. */
  partitions: z.array(z.number()), answering: z.number(),
  /** The newest of them; hosts of before say none. */
  answers: z.array(answerRow).default([]),
});
const report = z.discriminatedUnion('kind', [pluginReport, hostReport]);

export type PluginReport = z.output<typeof pluginReport>;
export type HostReport = z.output<typeof hostReport>;
export type Report = PluginReport | HostReport;

/** Key of the topic `rivulet.plugins`. Names of plugins have no #; names of hosts are none of plugin-records.ts. */
export const reportKey = (one: Report): string => `${one.host}/${one.kind === 'host' ? '#host' : one.plugin}`;
export const encodeReport = (one: Report): Buffer => Buffer.from(JSON.stringify(one));

/** @throws Error when it is none */
export const decodeReport = (value: Buffer): Report => report.parse(JSON.parse(value.toString('utf8')));
