// The process of one plugin. It gives up its rights before it loads anything of the plugin, and talks to the host over IPC only.
import Module, { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import { PLUGIN_API, definePlugin, pluginFacts, secretFields } from '@rivulet/plugin-sdk';
import type { PluginContext, PluginDefinition, PluginHooks } from '@rivulet/plugin-sdk';
import { ChildStreams } from './child-streams';
import { digestOf, unreadablePlace } from './plugin-files';
import { HOOKS } from './plugin-messages';
import type { ChildFault, FromChild, ToChild } from './plugin-messages';

const say = (message: FromChild): void => { process.send?.(message); };
const streams = new ChildStreams(say);
let hooks: PluginHooks<unknown> = {};
let config: unknown = {};

/** What a plugin may throw. */
interface Failure extends Error { code?: unknown; isFinal?: unknown }

class Fault extends Error {
  constructor(readonly fault: Omit<ChildFault, 'type'>) {
    super(fault.detail);
  }
}

/** For good: from root there is no way back after these three. */
function drop({ uid, gid }: { uid: number; gid: number }): void {
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

/**
 * A host that was killed cannot kill a plugin that hangs, and a plugin that hangs does not hear that its host is gone: a thread of its own
 * looks whose child the process is.
 */
function dieWithHost(): void {
  const look = `const host = process.ppid; setInterval(() => { if (process.ppid !== host) process.kill(process.pid, 'SIGKILL'); }, 1000);`;
  new Worker(look, { eval: true, execArgv: [], env: {}, resourceLimits: { maxOldGenerationSizeMb: 8 } }).unref();
}

async function load({ file, folder, isOurs, drop: rights, settings, isTrial }: Extract<ToChild, { type: 'load' }>): Promise<void> {
  // What comes with Rivulet may lie where only root reads, as this file does; it is loaded like this file, and runs without rights too.
  const early = isOurs ? await importPlugin(file) : null;
  if (rights) drop(rights);
  dieWithHost();
  if (process.getuid?.() === 0) throw new Fault({ code: 'START_FAILED', detail: 'Plugins never run as root.' });
  const place = isOurs ? null : unreadablePlace(folder, file);
  if (place) {
    throw new Fault({
      code: 'FILE_NOT_READABLE', place, detail: `${place.path} (mode ${place.mode}, owner ${place.owner}) cannot be read by uid ${process.getuid?.()}.`,
    });
  }
  const digest = isOurs ? '0'.repeat(64) : digestOf(folder, file);
  const plugin = definitionOf(early ?? await importPlugin(file));
  if (!isTrial) config = configured(plugin, settings);
  hooks = plugin.hooks as PluginHooks<unknown>;
  const { name, version, stream, pace, limits, onFailure } = plugin;
  say({
    type: 'loaded', digest, facts: pluginFacts.parse({ name, version, stream, pace, limits, onFailure }),
    hooks: HOOKS.filter((hook) => hooks[hook] !== undefined), secrets: secretFields(plugin.config),
  });
}

function configured(plugin: PluginDefinition, settings: unknown): unknown {
  const parsed = plugin.config.safeParse(settings ?? {});
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join('.') ?? '';
  throw new Fault({ code: 'CONFIG_INVALID', field, version: plugin.version, detail: `${field || 'The configuration'}: ${issue?.message ?? 'is invalid'}.` });
}

/** What a plugin that brings none of its own gets from us. It is loaded already: where it lies, a plugin need not be able to read. */
const PROVIDED = new Map(['@rivulet/plugin-sdk', 'zod'].map((name) => [name, require.resolve(name)]));

function provide(): void {
  const loader = Module as unknown as { _resolveFilename(request: string, ...rest: unknown[]): string };
  const resolve = loader._resolveFilename;
  loader._resolveFilename = function resolveProvided(request, ...rest) {
    try {
      return resolve.call(this, request, ...rest);
    } catch (error) {
      const provided = PROVIDED.get(request);
      if (provided === undefined) throw error;
      return provided;
    }
  };
}

/** CommonJS by require, where the SDK is found without being installed; ES modules, which bring theirs, by import. */
async function importPlugin(file: string): Promise<unknown> {
  try {
    return createRequire(file)(file) as unknown;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_REQUIRE_ESM') throw error;
    return import(pathToFileURL(file).href);
  }
}

function definitionOf(loaded: unknown): PluginDefinition {
  const outer = (loaded as { default?: unknown } | null)?.default ?? loaded;
  const plugin = ((outer as { default?: unknown } | null)?.default ?? outer) as PluginDefinition | null;
  const api = plugin?.api as unknown;
  if (plugin && typeof plugin === 'object' && api !== undefined && api !== PLUGIN_API) {
    throw new Fault({
      code: 'API_INCOMPATIBLE', version: String(plugin.version), detail: `The plugin speaks api ${String(api)}, this host speaks ${PLUGIN_API}.`,
    });
  }
  return definePlugin(plugin as PluginDefinition);
}

function contextOf(id: number, channel: string): PluginContext<unknown> {
  return {
    config,
    log: (message, facts) => say({ type: 'log', message: String(message), ...(facts ? { facts } : {}) }),
    history: ({ turnsMax = 20 } = {}) => streams.history(id, channel, turnsMax),
  };
}

async function run(id: number, work: () => unknown): Promise<void> {
  try {
    say({ type: 'answer', id, value: await work() });
  } catch (error) {
    const { code, message, isFinal, stack }: Failure = error instanceof Error ? error : new Error(inspect(error));
    // What nobody gave a code is a mistake: its author wants to know where.
    if (typeof code !== 'string') say({ type: 'log', message: `failed: ${stack ?? message}` });
    say({ type: 'failed', id, message, isFinal: isFinal === true, ...(typeof code === 'string' ? { code } : {}) });
  } finally {
    streams.close(id);
  }
}

function take(message: ToChild): void {
  switch (message.type) {
    case 'load': return void load(message).catch(fail);
    case 'ping': return say({ type: 'pong', n: message.n });
    case 'receive': {
      const { id, request } = message;
      const stream = streams.open(id);
      return void run(id, () => hooks.receive?.(contextOf(id, request.channel), request, stream));
    }
    case 'hook': {
      const hook = hooks[message.hook] as ((ctx: PluginContext<unknown>, argument: unknown) => unknown) | undefined;
      return void run(message.id, () => hook?.(contextOf(message.id, ''), message.argument));
    }
    default: return streams.take(message);
  }
}

function fail(error: unknown): void {
  const fault = error instanceof Fault ? error.fault : { code: 'START_FAILED' as const, detail: error instanceof Error ? String(error.stack) : inspect(error) };
  process.send?.({ type: 'fault', ...fault } satisfies FromChild, () => process.exit(1));
}

provide();
process.on('message', (message) => take(message as ToChild));
// Without its host a plugin has nothing to do.
process.on('disconnect', () => process.exit(0));
