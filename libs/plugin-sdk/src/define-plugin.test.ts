import { z } from 'zod';
import { definePlugin, pluginFacts, secret, secretFields } from './index';
import type { PluginDefinition } from './index';

const plugin = (over: Partial<PluginDefinition> = {}): PluginDefinition => ({
  name: 'sample', version: '1.0.0', api: 1, config: z.object({}), hooks: {}, ...over,
});

test('a definition is given back as it is, and its facts have defaults', () => {
  const given = plugin({ pace: { intervalMs: 100 } });
  expect(definePlugin(given)).toBe(given);
  const { name, version, pace } = given;
  expect(pluginFacts.parse({ name, version, pace })).toMatchObject({
    pace: { intervalMs: 100, bytesMax: 65_536 }, limits: { concurrency: 64, timeoutMs: 600_000 }, onFailure: { attempts: 3, keep: 'none' },
  });
});

test.each([
  ['name', { name: 'No Good' }], ['version', { version: 'newest' }], ['api', { api: '1' as unknown as 1 }], ['config', { config: {} as z.ZodTypeAny }],
  ['pace.intervalMs', { pace: { intervalMs: 20 } }], ['limits.concurrency', { limits: { concurrency: 0 } }],
])('a wrong %s is named', (field, over) => {
  expect(() => definePlugin(plugin(over))).toThrow(`definePlugin: ${field} `);
});

test('a definition for another api is left to the host, which says API_INCOMPATIBLE', () => {
  const later = plugin({ api: 2 as 1, hooks: { anew: () => undefined } as PluginDefinition['hooks'] });
  expect(definePlugin(later)).toBe(later);
});

test('secrets are found wherever they are marked, and also behind optional and default', () => {
  const config = z.object({
    url: z.string(), key: secret(z.string().min(1)), token: secret(z.string()).optional(), pair: z.object({ right: secret(z.string()) }).default({ right: '' }),
  });
  expect(secretFields(config)).toEqual(['key', 'token', 'pair.right']);
});

test('secrets are found wherever a schema can hold them', () => {
  const key = secret(z.string());
  interface Node { key: string; next?: Node | undefined }
  const node: z.ZodType<Node> = z.lazy(() => z.object({ key, next: node.optional() }));
  const found = secretFields(z.object({
    plain: z.string(), optional: key.optional(), inner: z.object({ key }).default({ key: '' }), list: z.array(z.object({ key, url: z.string() })), byName: z.record(key),
    either: z.union([z.string(), z.object({ key })]), refined: z.object({ key }).refine(() => true), pair: z.tuple([z.string(), key]), 'a.b': z.object({ key }),
    both: z.object({ key }).and(z.object({ url: z.string() })),
  }).strict());
  expect(found.sort()).toEqual(['', 'both.key', 'byName.*', 'either.key', 'inner.key', 'list.*.key', 'optional', 'pair.*', 'refined.key']);
  expect(secretFields(key)).toEqual(['']);
  expect(secretFields(node).slice(0, 2)).toEqual(['key', 'next.key']);
});
