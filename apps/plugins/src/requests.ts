import { StreamError } from '@rivulet/protocol';
import type { PluginOpen, SendDecision } from '@rivulet/plugin-sdk';
import type { AllocatorPort, Auth, Principal } from '@rivulet/service';
import { z } from 'zod';
import type { PluginsConfig } from './config';
import { PluginFailure } from './plugin-failure';
import type { PluginHost } from './plugin-host';
import type { PluginReports } from './plugin-reports';
import type { PluginSet } from './plugin-set';
import type { RequestDesk } from './request-desk';
import { INPUT_KEY, PLUGIN_KEY } from './stream-facts';

export interface Asked { plugin: string; body: unknown; principal: Principal; idempotencyKey: string | undefined }
export interface Accepted { streamNo: string; readToken: string }

interface RequestsParts {
  reports: PluginReports;
  plugins: PluginSet;
  desk: RequestDesk;
  allocator: Pick<AllocatorPort, 'open'>;
  auth: Auth;
  config: PluginsConfig;
}

const body = z.object({ channel: z.string().max(1_024).default(''), input: z.unknown(), metadata: z.record(z.unknown()).default({}) }).strict();
const decision = z.discriminatedUnion('allow', [
  z.object({ allow: z.literal(true), metadata: z.record(z.unknown()).optional() }),
  z.object({ allow: z.literal(false), code: z.string().max(64), text: z.string().max(1_024) }),
]);
const HOOK_MS_MAX = 5_000;
/** A larger input is not kept with the stream, and so is no part of a channel's history. */
const KEPT_INPUT_BYTES_MAX = 4_096;

/** Takes requests: the stream is opened first, so that whoever asked can watch it whatever happens next; then the request is durable. */
export class Requests {
  constructor(private readonly parts: RequestsParts) {}

  /** @throws StreamError PLUGIN_NOT_FOUND, PLUGIN_NOT_RUNNING, PLUGIN_REFUSED, OVERLOADED, OPTIONS_INVALID, and those of an open */
  async accept({ plugin: name, body: given, principal, idempotencyKey }: Asked): Promise<Accepted> {
    const { allocator, desk, plugins, config } = this.parts;
    const { plugin, stream } = this.known(name);
    const asked = body.safeParse(given ?? {});
    if (!asked.success) {
      const [issue] = asked.error.issues;
      throw new StreamError('OPTIONS_INVALID', { option: issue?.path.join('.') ?? '', detail: `${issue?.path.join('.') || 'The body'}: ${issue?.message ?? 'is invalid'}.` });
    }
    const { channel, input, metadata } = asked.data;
    const inputJson = JSON.stringify(input ?? null);
    if (Buffer.byteLength(inputJson) > config.inputBytesMax) throw new StreamError('BODY_TOO_LARGE', { detail: `input is larger than ${config.inputBytesMax} bytes.` });
    if (plugins.turns(name).waitingCount >= config.waitingMax) {
      throw new StreamError('OVERLOADED', { retryAfterMs: 1_000, detail: `${config.waitingMax} requests of ${name} wait on this host already.` });
    }
    const patched = await this.send(plugin, { plugin: name, channel, input, by: principal.id, metadata });
    const kept = Buffer.byteLength(inputJson) <= KEPT_INPUT_BYTES_MAX ? { [INPUT_KEY]: input ?? null } : {};
    const opened = await allocator.open({
      principal: principal.id, idempotencyKey: idempotencyKey ?? '',
      options: { ...stream, ...(channel === '' ? {} : { channel }), leaseMs: config.streamLeaseMs, metadata: { ...kept, ...patched, [PLUGIN_KEY]: name } },
    });
    await desk.submit({ streamNo: opened.streamNo, plugin: name, channel, input, by: principal.id, at: Date.now() });
    return { streamNo: opened.streamNo, readToken: opened.readToken };
  }

  /** As it runs here, or else as a host reports it that has it running and will answer. */
  private known(name: string): { plugin: PluginHost | undefined; stream: Record<string, unknown> } {
    const { plugins, reports } = this.parts;
    if (!plugins.isStarted) throw new StreamError('NOT_READY', { retryAfterMs: 1_000, detail: 'What is installed is still being read.' });
    const plugin = plugins.host(name);
    const elsewhere = reports.running(name)[0];
    const hooks = plugin?.facts ? plugin.hooks : elsewhere?.hooks;
    const stream = plugin?.facts?.stream ?? elsewhere?.stream;
    if (!hooks || !stream) {
      if (!plugins.knows(name)) throw new StreamError('PLUGIN_NOT_FOUND', { plugin: name });
      throw new StreamError('PLUGIN_NOT_RUNNING', { plugin: name, state: plugins.ownOf(name).state, retryAfterMs: 1_000 });
    }
    if (!hooks.includes('receive')) throw new StreamError('PLUGIN_REFUSED', { plugin: name, detail: `${name} answers no requests: it has no hook receive.` });
    // Only its process here can be asked.
    if (hooks.includes('send') && !plugin?.running) {
      throw new StreamError('PLUGIN_NOT_RUNNING', { plugin: name, state: plugin?.state ?? 'MISSING_ON_HOST', retryAfterMs: 1_000 });
    }
    return { plugin, stream };
  }

  private async send(plugin: PluginHost | undefined, open: PluginOpen): Promise<Record<string, unknown>> {
    const process = plugin?.hooks.includes('send') ? plugin.running : null;
    if (!process) return open.metadata;
    let said: SendDecision;
    try {
      said = decision.parse(await process.hook('send', open, HOOK_MS_MAX));
    } catch (error) {
      const code = error instanceof PluginFailure ? error.code : 'PLUGIN_FAILED';
      throw new StreamError('PLUGIN_FAILED', { plugin: open.plugin, pluginCode: code, detail: 'Its hook send failed.' }, { cause: error });
    }
    if (!said.allow) throw new StreamError('PLUGIN_REFUSED', { plugin: open.plugin, pluginCode: said.code, detail: said.text });
    return { ...open.metadata, ...said.metadata };
  }
}
