import { StreamError } from '@rivulet/protocol';
import type { PluginOpen, SendDecision } from '@rivulet/plugin-sdk';
import { z } from 'zod';
import { PluginFailure } from './plugin-failure';
import type { PluginHost } from './plugin-host';

const decision = z.discriminatedUnion('allow', [
  z.object({ allow: z.literal(true), metadata: z.record(z.unknown()).optional() }),
  z.object({ allow: z.literal(false), code: z.string().max(64), text: z.string().max(1_024) }),
]);
const HOOK_MS_MAX = 5_000;

/** What the plugin says of a stream that is about to be opened. @throws StreamError PLUGIN_NOT_FOUND, PLUGIN_NOT_RUNNING, PLUGIN_FAILED */
export async function askSend(plugin: PluginHost | undefined, open: PluginOpen): Promise<SendDecision> {
  const name = open.plugin;
  if (!plugin) throw new StreamError('PLUGIN_NOT_FOUND', { plugin: name });
  // Not let through: whoever bound the channel wants every open to be judged.
  if (plugin.facts && !plugin.hooks.includes('send')) throw new StreamError('PLUGIN_FAILED', { plugin: name, pluginCode: 'NO_HOOK', detail: `${name} has no hook send.` });
  if (!plugin.running) throw new StreamError('PLUGIN_NOT_RUNNING', { plugin: name, state: plugin.state, retryAfterMs: 1_000 });
  try {
    return decision.parse(await plugin.running.hook('send', open, HOOK_MS_MAX));
  } catch (cause) {
    const code = cause instanceof PluginFailure ? cause.code : 'PLUGIN_FAILED';
    // It is started again: the same call may well be answered.
    if (code === 'PLUGIN_CRASHED') throw new StreamError('PLUGIN_NOT_RUNNING', { plugin: name, state: plugin.state, retryAfterMs: 1_000 }, { cause });
    throw new StreamError('PLUGIN_FAILED', { plugin: name, pluginCode: code, detail: 'Its hook send failed.' }, { cause });
  }
}
