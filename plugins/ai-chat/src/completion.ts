import { setTimeout as elapse } from 'node:timers/promises';
import OpenAI from 'openai';
import type { PluginContext, PluginStream } from '@rivulet/plugin-sdk';
import type { ChatConfig } from './config';
import { ToolCalls } from './tool-calls';

/** Fields that endpoints of several makers add to a delta. */
interface Delta {
  content?: string | null;
  reasoning_content?: string | null;
  reasoning?: string | null;
  tool_calls?: OpenAI.ChatCompletionChunk.Choice.Delta.ToolCall[];
}
export interface Question { messages: OpenAI.ChatCompletionMessageParam[]; tools: OpenAI.ChatCompletionTool[] | undefined }
interface Outcome { model: string; finishReason: string; usage: OpenAI.CompletionUsage | null }

class Stalled extends Error {
  readonly code = 'UPSTREAM_STALLED';
}
class Cut extends Error {
  readonly code = 'UPSTREAM_CUT';
}

/**
 * One answer of the endpoint, written as it comes. Before the first token a failed call is simply made again; after it the attempt has
 * failed, and the host starts another one on the same stream.
 * @returns model, finish reason and usage, as metadata
 */
export async function complete(
  ctx: PluginContext<ChatConfig>, { messages, tools }: Question, stream: PluginStream,
): Promise<Record<string, unknown>> {
  const { baseUrl, apiKey, callsMax, retryMs } = ctx.config;
  const client = new OpenAI({ baseURL: baseUrl, apiKey, maxRetries: 0 });
  for (let call = 1; ; call += 1) {
    const progress = { hasWritten: false };
    try {
      return { ...(await once(client, ctx.config, { messages, tools }, stream, progress)), calls: call };
    } catch (error) {
      if (stream.signal.aborted) throw stream.signal.reason;
      const isLast = call >= callsMax || progress.hasWritten || !isPassing(error);
      ctx.log(`call ${call} failed: ${(error as Error).message}`, { isLast });
      if (isLast) throw described(error);
      await elapse(Math.max(retryMs * 2 ** (call - 1), retryAfterMs(error)), null, { signal: stream.signal });
    }
  }
}

async function once(
  client: OpenAI, config: ChatConfig, { messages, tools }: Question, stream: PluginStream, progress: { hasWritten: boolean },
): Promise<Outcome> {
  const { model, temperature, tokensMax, stallMsMax } = config;
  const upstream = new AbortController();
  // At once, and not at the next token: a cancelled answer must cost nothing more.
  const cancel = (): void => upstream.abort(stream.signal.reason);
  stream.signal.addEventListener('abort', cancel, { once: true });
  const stalled = new Stalled(`Nothing came for ${stallMsMax} ms.`);
  const timer = setTimeout(() => upstream.abort(stalled), stallMsMax);
  try {
    const chunks = await client.chat.completions.create({
      model, messages, stream: true, stream_options: { include_usage: true },
      ...(tools ? { tools } : {}), ...(temperature === undefined ? {} : { temperature }),
      ...(tokensMax === undefined ? {} : { max_completion_tokens: tokensMax }),
    }, { signal: upstream.signal });
    const outcome: Outcome = { model, finishReason: '', usage: null };
    const calls = new ToolCalls();
    for await (const chunk of chunks) {
      timer.refresh();
      outcome.model = chunk.model || outcome.model;
      outcome.usage = chunk.usage ?? outcome.usage;
      const [choice] = chunk.choices;
      if (!choice) continue;
      progress.hasWritten = await write(choice.delta as Delta, calls, stream) || progress.hasWritten;
      outcome.finishReason = choice.finish_reason ?? outcome.finishReason;
    }
    if (upstream.signal.aborted) throw upstream.signal.reason;
    // A connection that is closed in the middle looks like an end to whoever does not ask for the reason.
    if (outcome.finishReason === '') throw new Cut('The endpoint ended its answer without a reason.');
    for (const line of calls.lines()) await stream.write(line, { lane: 'tool' });
    return outcome;
  } catch (error) {
    throw upstream.signal.aborted ? upstream.signal.reason : error;
  } finally {
    clearTimeout(timer);
    stream.signal.removeEventListener('abort', cancel);
  }
}

/** @returns whether readers have something now */
async function write(delta: Delta, calls: ToolCalls, stream: PluginStream): Promise<boolean> {
  const reasoning = delta.reasoning_content ?? delta.reasoning ?? '';
  if (reasoning !== '') await stream.write(reasoning, { lane: 'reasoning' });
  if (delta.content) await stream.write(delta.content);
  for (const part of delta.tool_calls ?? []) calls.take(part);
  return reasoning !== '' || Boolean(delta.content);
}

/** Trouble that a second call may not meet: the network, a limit, the endpoint itself. */
function isPassing(error: unknown): boolean {
  if (error instanceof Stalled || error instanceof Cut || error instanceof OpenAI.APIConnectionError) return true;
  if (!(error instanceof OpenAI.APIError)) return true;
  return error.status === undefined || error.status === 408 || error.status === 409 || error.status === 429 || error.status >= 500;
}

function retryAfterMs(error: unknown): number {
  const seconds = error instanceof OpenAI.APIError ? Number(error.headers?.get('retry-after') ?? 0) : 0;
  return Number.isFinite(seconds) ? Math.min(seconds * 1_000, 60_000) : 0;
}

/** What the host is told: a code that says who failed, and whether another attempt can help. */
function described(error: unknown): Error {
  const { message, code } = error as Error & { code?: unknown };
  const other = error instanceof OpenAI.APIConnectionError ? 'UPSTREAM_UNREACHABLE' : 'UPSTREAM_FAILED';
  const known = error instanceof Stalled || error instanceof Cut ? code : other;
  return Object.assign(new Error(message), { code: known, isFinal: !isPassing(error) });
}
