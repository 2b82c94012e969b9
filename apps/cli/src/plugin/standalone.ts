import { createRequire } from 'node:module';
import path from 'node:path';
import { UsageError } from '../exit-codes';
import type { PluginFault } from './rows';

/** What this command uses of @rivulet/standalone. It is not a dependency: most who use the command have no plugin to try. */
export interface PluginStatus { plugin: string; version: string; state: string; fault: PluginFault | null }
export interface StartOptions {
  port?: number;
  plugins: { paths: string[]; config?: Record<string, unknown>; onChange(plugin: PluginStatus): void };
  log?: { write(line: string): void };
}
export interface Standalone {
  url: string;
  apiKey: string;
  ask(plugin: string, input: unknown, options?: { channel?: string }): Promise<{ streamNo: string; readToken: string }>;
  stop(): Promise<void>;
}

export const STANDALONE = '@rivulet/standalone';

/**
 * All of Rivulet in this process, of the version that the plugin's own tests use, else of the one beside this command.
 * @throws UsageError when there is neither
 */
export function startStandalone(folder: string, options: StartOptions): Promise<Standalone> {
  const { startRivulet } = found(path.join(folder, 'package.json')) ?? found(__filename) ?? missing(folder);
  return startRivulet(options);
}

interface Module { startRivulet(options: StartOptions): Promise<Standalone> }

function found(from: string): Module | null {
  const load = createRequire(from);
  try {
    load.resolve(STANDALONE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
  return load(STANDALONE) as Module;
}

function missing(folder: string): never {
  throw new UsageError(`This runs the plugin on ${STANDALONE}, which is not installed. Run: npm install --save-dev ${STANDALONE} (in ${folder}).`);
}
