import { z } from 'zod';
import { pluginFacts } from '@rivulet/plugin-sdk';
import type { HistoryTurn, PluginRequest } from '@rivulet/plugin-sdk';

/** What a plugin's process says. It is not trusted: what does not fit here ends it. */
const id = z.number().int().min(1);
const text = (lengthMax: number) => z.string().transform((value) => value.slice(0, lengthMax));
const LANE_MAX = 64;

export const FAULT_CODES = ['FILE_NOT_READABLE', 'API_INCOMPATIBLE', 'CONFIG_INVALID', 'START_FAILED'] as const;
export const HOOKS = ['receive', 'send', 'persistAfter', 'route'] as const;
export type HookName = (typeof HOOKS)[number];

export const fromChild = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('loaded'), facts: pluginFacts, digest: z.string().length(64), hooks: z.array(z.enum(HOOKS)), secrets: z.array(z.string()).max(256),
  }),
  z.object({
    type: z.literal('fault'), code: z.enum(FAULT_CODES), detail: text(4_096), version: z.string().max(64).optional(),
    field: z.string().max(256).optional(), place: z.object({ path: z.string(), mode: z.string(), owner: z.string() }).optional(),
  }),
  z.object({ type: z.literal('write'), id, n: id, content: z.unknown(), lane: z.string().min(1).max(LANE_MAX).optional() }),
  z.object({ type: z.literal('flush'), id, n: id }),
  z.object({ type: z.literal('rewind'), id, n: id }),
  z.object({
    type: z.literal('progress'), id, done: z.number().finite(), total: z.number().finite().optional(), note: text(200).optional(),
  }),
  z.object({ type: z.literal('answer'), id, value: z.unknown() }),
  z.object({ type: z.literal('failed'), id, code: text(64).optional(), message: text(1_024), isFinal: z.boolean().optional() }),
  z.object({ type: z.literal('history'), id, n: id, channel: z.string().max(1_024), turnsMax: z.number().int().min(0).max(1_000) }),
  z.object({ type: z.literal('pong'), n: z.number().int() }),
  z.object({ type: z.literal('log'), message: text(2_048), facts: z.record(z.unknown()).optional() }),
]);
export type FromChild = z.output<typeof fromChild>;
export type Loaded = Extract<FromChild, { type: 'loaded' }>;
export type ChildFault = Extract<FromChild, { type: 'fault' }>;

/** What the host says to it. */
export type ToChild =
  /** isTrial: only what the plugin says of itself is wanted; no configuration is looked at. */
  | { type: 'load'; file: string; folder: string; isOurs: boolean; drop: { uid: number; gid: number } | null; settings: unknown; isTrial: boolean }
  | { type: 'receive'; id: number; request: PluginRequest }
  | { type: 'hook'; id: number; hook: Exclude<HookName, 'receive'>; argument: unknown }
  | { type: 'done'; id: number; n: number; turns?: HistoryTurn[] }
  | { type: 'refused'; id: number; n: number; code: string; message: string }
  | { type: 'stop'; id: number; code: string; message: string }
  | { type: 'ping'; n: number };
