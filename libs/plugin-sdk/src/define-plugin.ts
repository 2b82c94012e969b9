import { z } from 'zod';
import type { PluginDefinition } from './plugin';
import { PLUGIN_API } from './plugin';

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
const VERSION = /^\d+\.\d+\.\d+(?:-[\w.-]+)?$/;
const DAY_MS = 86_400_000;
const integer = (min: number, max: number) => z.number().int().min(min).max(max);
const hook = z.function().optional();

/** The parts of a definition that are plain values, as the host is told them; defaults filled in. */
export const pluginFacts = z.object({
  name: z.string().regex(NAME, 'must be 1 to 64 of a-z 0-9 -'),
  version: z.string().regex(VERSION, 'must be a semantic version such as 1.0.0'),
  stream: z.object({
    contentType: z.string().min(1).max(200).default('text/plain; charset=utf-8'),
    merge: z.enum(['text', 'bytes', 'json', 'latest']).optional(),
    class: z.enum(['interactive', 'bulk']).default('interactive'),
    retentionMs: integer(0, 7 * DAY_MS).optional(),
  }).strict().default({}),
  pace: z.object({
    intervalMs: integer(0, 1_000).default(150).refine((ms) => ms === 0 || ms >= 50, 'must be 0 or 50 to 1000'),
    bytesMax: integer(256, 262_144).default(65_536),
  }).strict().default({}),
  limits: z.object({
    concurrency: integer(1, 10_000).default(64), memoryMb: integer(32, 16_384).optional(), timeoutMs: integer(100, DAY_MS).default(600_000),
  }).strict().default({}),
  onFailure: z.object({ attempts: integer(1, 16).default(3), keep: z.enum(['none', 'all']).default('none') }).strict().default({}),
});
export type PluginFacts = z.output<typeof pluginFacts>;

const definition = pluginFacts.extend({
  api: z.literal(PLUGIN_API),
  config: z.custom<z.ZodTypeAny>((value) => typeof (value as { safeParse?: unknown } | null)?.safeParse === 'function', 'must be a zod schema'),
  hooks: z.object({ receive: hook, send: hook, persistAfter: hook, route: hook }).strict(),
}).strict();

/**
 * Says what a plugin is; the module's default export (or module.exports).
 * @throws Error naming the first field that is wrong; one of another api is given back as it is
 */
export function definePlugin<Schema extends z.ZodTypeAny>(plugin: PluginDefinition<Schema>): PluginDefinition<Schema> {
  // What another api has for fields is not known here: its host says API_INCOMPATIBLE, with both numbers.
  const api = (plugin as { api?: unknown } | null | undefined)?.api;
  if (Number.isInteger(api) && api !== PLUGIN_API) return plugin;
  const checked = definition.safeParse(plugin);
  if (checked.success) return plugin;
  const [issue] = checked.error.issues;
  throw new Error(`definePlugin: ${issue?.path.join('.') || 'the definition'} ${issue?.message ?? 'is invalid'}`);
}
