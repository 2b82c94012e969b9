import type { z } from 'zod';

/** Version of the contract between host and plugin. A host that does not speak it says API_INCOMPATIBLE and starts nothing. */
export const PLUGIN_API = 1;

/** What `receive` writes: a string on text streams, bytes on binary ones, any JSON value on json and latest ones. */
export type Content = string | Uint8Array | Record<string, unknown> | unknown[] | number | boolean | null;

/** One request and what is known of its stream. */
export interface PluginRequest {
  streamNo: string;
  /** '' when none. */
  channel: string;
  /** Of a bound stream: its text. */
  input: unknown;
  /** streamNo of the bound stream that this answers; '' when it was asked by a request. */
  inReplyTo: string;
  /** 1 for the first attempt. */
  attempt: number;
  /** What an earlier attempt wrote and this one keeps (onFailure.keep: 'all'); both 0 otherwise. */
  written: { sequence: number; bytes: number };
}

/** The stream a request is answered on. The host numbers, paces, resends and ends it. */
export interface PluginStream {
  /**
   * @param options.lane keeps kinds apart within one stream, such as `reasoning` and `tool`
   * @returns when there is room for more. Await it: that is the back-pressure.
   */
  write(content: Content, options?: { lane?: string }): Promise<void>;
  /** @returns when everything written so far is durable. */
  flush(): Promise<void>;
  /** For operators: how far the answer is. Not part of the stream. */
  progress(progress: { done: number; total?: number; note?: string }): void;
  /** Starts the content over: what readers have is taken back, the next write is the first. */
  rewind(): Promise<void>;
  /** Fires on cancel, time-out and loss of the attempt. Its reason is an Error with a `code`. */
  readonly signal: AbortSignal;
}

/** What every hook gets first. */
export interface PluginContext<Config> {
  readonly config: Config;
  /** Lines of the plugin's own log; secrets of the configuration are taken out. stdout and stderr go there too. */
  log(message: string, facts?: Record<string, unknown>): void;
  /** The content so far of a channel's ended streams, oldest first: what a dialogue needs as its history. */
  history(options?: { turnsMax?: number }): Promise<HistoryTurn[]>;
}
export interface HistoryTurn { streamNo: string; input: unknown; text: string }

/** A stream that is about to be opened: for a request, or in a channel that is bound to this hook (then input is null). */
export interface PluginOpen { plugin: string; channel: string; input: unknown; by: string; metadata: Record<string, unknown> }
export type SendDecision =
  | { allow: true; metadata?: Record<string, unknown> }
  | { allow: false; code: string; text: string };

/** A stream of this plugin, or one of a channel that is bound to it, is over. */
export interface PluginEvent {
  /** The same each time the event is delivered: what makes the hook idempotent. */
  id: string;
  streamNo: string;
  channel: string;
  status: 'ended' | 'failed' | 'cancelled' | 'expired';
  reason: string;
  sequence: number;
  bytes: number;
  metadata: Record<string, unknown>;
}

export interface PluginHttpRequest { method: string; path: string; query: Record<string, string>; body: unknown; by: string }
export interface PluginHttpAnswer { status?: number; headers?: Record<string, string>; body?: unknown }

export interface PluginHooks<Config> {
  /**
   * Answers a request. Its return ends the stream, with what it returns as metadata; a throw is a failed attempt. The `code` of what is
   * thrown is the stream's reason when no attempt is left; with `isFinal: true` none is made.
   */
  receive?(ctx: PluginContext<Config>, request: PluginRequest, stream: PluginStream): Promise<Record<string, unknown> | void>;
  /** Once, before the stream of a request, or of a bound channel, is opened. */
  send?(ctx: PluginContext<Config>, open: PluginOpen): Promise<SendDecision> | SendDecision;
  /** At least once per event, after the stream is final; a throw is tried again. */
  persistAfter?(ctx: PluginContext<Config>, event: PluginEvent): Promise<void> | void;
  /** HTTP under /v1/plugins/:name/routes/… */
  route?(ctx: PluginContext<Config>, request: PluginHttpRequest): Promise<PluginHttpAnswer> | PluginHttpAnswer;
}

export interface PluginDefinition<Schema extends z.ZodTypeAny = z.ZodTypeAny> {
  /** 1 to 64 of a-z 0-9 -, as in the URL. */
  name: string;
  /** Semantic version. */
  version: string;
  api: typeof PLUGIN_API;
  /** Of the configuration; secrets are marked by `secret()`. */
  config: Schema;
  /** How its streams are opened. Default: text/plain, interactive. */
  stream?: { contentType?: string; merge?: 'text' | 'bytes' | 'json' | 'latest'; class?: 'interactive' | 'bulk'; retentionMs?: number };
  /**
   * intervalMs: one fragment per so many ms, the first at once (0: every write is one; or 50 to 1000; default 150).
   * bytesMax: a tick that is this full goes at once.
   */
  pace?: { intervalMs?: number; bytesMax?: number };
  /** Answers at once (default 64); heap of its process (default: the host's); longest answer (default 10 minutes). */
  limits?: { concurrency?: number; memoryMb?: number; timeoutMs?: number };
  /** After a throw, a crash or a lost host: how often it is tried, in all (default 3), and what of the content is kept (default none). */
  onFailure?: { attempts?: number; keep?: 'none' | 'all' };
  hooks: PluginHooks<z.output<Schema>>;
}
