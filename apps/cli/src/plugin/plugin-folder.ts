import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from '../exit-codes';

export const PLUGIN_NAME = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
const VERSION = /^\d+\.\d+\.\d+(?:-[\w.-]+)?$/;

export interface Manifest {
  /** Of the plugin: that of the package without a scope and `plugin-` in front. */
  name: string;
  version: string;
  main: string;
  dependencies: string[];
  scripts: Record<string, string>;
}

/** @throws UsageError naming what keeps the folder from being a plugin, and what to do */
export function readManifest(folder: string): Manifest {
  const file = path.join(folder, 'package.json');
  if (!existsSync(file)) throw new UsageError(`${folder} is no plugin: it has no package.json. Name the folder of one, or begin one with rivulet plugin create.`);
  let given: { name?: unknown; version?: unknown; main?: unknown; dependencies?: object; scripts?: Record<string, string> };
  try {
    given = JSON.parse(readFileSync(file, 'utf8')) as typeof given;
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
  const { name, version, main = 'index.js', dependencies = {}, scripts = {} } = given;
  const plugin = String(name).replace(/^@[^/]+\//, '').replace(/^(?:rivulet-)?plugin-/, '');
  if (!PLUGIN_NAME.test(plugin)) throw new UsageError(`${file}: name must be 1 to 64 of a-z 0-9 -, such as search.`);
  if (!VERSION.test(String(version))) throw new UsageError(`${file}: version must be a semantic version such as 1.0.0.`);
  if (typeof main !== 'string' || !existsSync(path.join(folder, main))) {
    throw new UsageError(`${file}: its main, ${String(main)}, is not there. Build the plugin, or mend main.`);
  }
  return { name: plugin, version: String(version), main: path.posix.normalize(main), dependencies: Object.keys(dependencies), scripts };
}
