import { z } from 'zod';

/** Names of plugins, as in the URL. */
export const PLUGIN_NAME = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
/** Versions of what is installed, as definePlugin takes them. */
export const PLUGIN_VERSION = /^\d+\.\d+\.\d+(?:-[\w.-]+)?$/;

export interface PackageFacts { name: string; version: string; main: string }

const shape = z.object({ name: z.string(), version: z.string().default(''), main: z.string().default('index.js') });

/**
 * @returns name of the plugin (without a scope and `plugin-` in front), version and main of a package.json
 * @throws Error saying what is wrong with it
 */
export function readPackageJson(text: string): PackageFacts {
  const parsed = shape.safeParse(JSON.parse(text));
  if (!parsed.success) throw new Error('name, main and version of package.json must be text');
  const { name, version, main } = parsed.data;
  return { name: name.replace(/^@[^/]+\//, '').replace(/^(?:rivulet-)?plugin-/, ''), version, main };
}
