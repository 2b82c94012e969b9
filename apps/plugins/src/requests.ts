import { StreamError } from '@rivulet/protocol';
import type { OpenedStream } from '@rivulet/protocol';
import type { PluginOpen } from '@rivulet/plugin-sdk';
import type { AllocatorPort, Auth, Principal } from '@rivulet/service';
import { z } from 'zod';
import type { PluginsConfig } from './config';
import type { PluginReports } from './plugin-reports';
import type { PluginSet } from './plugin-set';
import type { RequestDesk } from './request-desk';
import { askSend } from './send-hook';
import { INPUT_KEY, PLUGIN_KEY, REPLY_KEY } from './stream-facts';

export interface Asked { plugin: string; body: unknown; principal: Principal; idempotencyKey: string | undefined }
export interface Accepted { streamNo: string; readToken: string }

/** What an answer is opened for. */
interface ToAnswer {
  plugin: string;
  channel: string;
  input: unknown;
  by: string;
  idempotencyKey: string;
  metadata?: Record<string, unknown>;
  inReplyTo?: string | undefined;
}

interface RequestsParts {
  reports: PluginReports;
  plugins: PluginSet;
  desk: RequestDesk;
  allocator: Pick<AllocatorPort, 'open'>;
  auth: Auth;
  config: PluginsConfig;
}

const body = z.object({ channel: z.string().max(1_024).default(''), input: z.unknown(), metadata: z.record(z.unknown()).default({}) }).strict();
/** A larger input is not kept with the stream, and so is no part of a channel's history. */
const KEPT_INPUT_BYTES_MAX = 4_096;

/** Takes requests: the stream is opened first, so that whoever asked can watch it whatever happens next; then the request is durable. */
export class Requests {
  constructor(private readonly parts: RequestsParts) {}

  /** @throws StreamError PLUGIN_NOT_FOUND, PLUGIN_NOT_RUNNING, PLUGIN_REFUSED, OVERLOADED, OPTIONS_INVALID, and those of an open */
  async accept({ plugin: name, body: given, principal, idempotencyKey }: Asked): Promise<Accepted> {
    const { config } = this.parts;
    const { hasSend } = this.known(name);
    const asked = body.safeParse(given ?? {});
    if (!asked.success) {
      const [issue] = asked.error.issues;
      throw new StreamError('OPTIONS_INVALID', { option: issue?.path.join('.') ?? '', detail: `${issue?.path.join('.') || 'The body'}: ${issue?.message ?? 'is invalid'}.` });
    }
    const { channel, input, metadata } = asked.data;
    const inputJson = JSON.stringify(input ?? null);
    if (Buffer.byteLength(inputJson) > config.inputBytesMax) throw new StreamError('BODY_TOO_LARGE', { detail: `input is larger than ${config.inputBytesMax} bytes.` });
    this.admit(name);
    const patched = hasSend ? await this.send({ plugin: name, channel, input, by: principal.id, metadata }) : metadata;
    return this.submit({ plugin: name, channel, input, by: principal.id, idempotencyKey: idempotencyKey ?? '', metadata: patched });
  }

  /** [PLUGIN-5] The answer to a bound stream. May be repeated. @throws StreamError as accept does */
  async reply(asked: ToAnswer & { inReplyTo: string }): Promise<void> {
    this.admit(asked.plugin);
    await this.submit(asked);
  }

  /** Only the stream of the answer. @throws StreamError PLUGIN_NOT_FOUND, PLUGIN_NOT_RUNNING, PLUGIN_REFUSED, and those of an open */
  open({ plugin, channel, input, by, idempotencyKey, metadata = {}, inReplyTo }: ToAnswer): Promise<OpenedStream> {
    const { allocator, config } = this.parts;
    const { stream } = this.known(plugin);
    const kept = Buffer.byteLength(JSON.stringify(input ?? null)) <= KEPT_INPUT_BYTES_MAX ? { [INPUT_KEY]: input ?? null } : {};
    const own = { [PLUGIN_KEY]: plugin, ...(inReplyTo === undefined ? {} : { [REPLY_KEY]: inReplyTo }) };
    return allocator.open({
      principal: by, idempotencyKey, answerOf: plugin,
      options: { ...stream, ...(channel === '' ? {} : { channel }), leaseMs: config.streamLeaseMs, metadata: { ...kept, ...metadata, ...own } },
    });
  }

  private async submit(asked: ToAnswer): Promise<Accepted> {
    const { plugin, channel, input, by, inReplyTo } = asked;
    const replied = inReplyTo === undefined ? {} : { inReplyTo };
    const { streamNo, readToken } = await this.open(asked);
    await this.parts.desk.submit({ streamNo, plugin, channel, input, by, at: Date.now(), ...replied });
    return { streamNo, readToken };
  }

  private admit(name: string): void {
    const { plugins, config } = this.parts;
    if (plugins.turns(name).waitingCount < config.waitingMax) return;
    throw new StreamError('OVERLOADED', { retryAfterMs: 1_000, detail: `${config.waitingMax} requests of ${name} wait on this host already.` });
  }

  /** As it runs here, or else as a host reports it that has it running and will answer. */
  private known(name: string): { hasSend: boolean; stream: Record<string, unknown> } {
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
    return { hasSend: hooks.includes('send'), stream };
  }

  private async send(open: PluginOpen): Promise<Record<string, unknown>> {
    const plugin = this.parts.plugins.host(open.plugin);
    // Only its process here can be asked.
    if (!plugin) throw new StreamError('PLUGIN_NOT_RUNNING', { plugin: open.plugin, state: 'MISSING_ON_HOST', retryAfterMs: 1_000 });
    const said = await askSend(plugin, open);
    if (!said.allow) throw new StreamError('PLUGIN_REFUSED', { plugin: open.plugin, pluginCode: said.code, detail: said.text });
    return { ...open.metadata, ...said.metadata };
  }
}
