import { definePlugin } from '@rivulet/plugin-sdk';
import type { PluginContext } from '@rivulet/plugin-sdk';
import type OpenAI from 'openai';
import { z } from 'zod';
import { config } from './config';
import type { ChatConfig } from './config';
import { complete } from './completion';

const input = z.union([
  z.string().min(1),
  z.object({ text: z.string().min(1), tools: z.array(z.record(z.unknown())).max(128).optional() }).strict(),
]);

/**
 * AI dialogue with any endpoint that speaks the OpenAI API. The answer is the stream's text; beside it, in lanes of their own, are
 * `reasoning` and `tool` (one line of JSON per call). What went before in the channel is its history.
 */
export default definePlugin({
  name: 'ai-chat', version: '0.1.0', api: 1, config,
  stream: { contentType: 'text/markdown; charset=utf-8' }, pace: { intervalMs: 150 },
  limits: { concurrency: 256, timeoutMs: 600_000 }, onFailure: { attempts: 3, keep: 'none' },
  hooks: {
    async receive(ctx, request, stream) {
      const asked = input.safeParse(request.input);
      if (!asked.success) throw Object.assign(new Error('input must be text, or {text, tools?}.'), { code: 'INPUT_INVALID', isFinal: true });
      const { text, tools } = typeof asked.data === 'string' ? { text: asked.data, tools: undefined } : asked.data;
      return complete(ctx, { messages: await messagesOf(ctx, text), tools: tools as OpenAI.ChatCompletionTool[] | undefined }, stream);
    },
  },
});

async function messagesOf(ctx: PluginContext<ChatConfig>, text: string): Promise<OpenAI.ChatCompletionMessageParam[]> {
  const { systemPrompt, historyTurnsMax } = ctx.config;
  const turns = await ctx.history({ turnsMax: historyTurnsMax });
  const before = turns.flatMap((turn): OpenAI.ChatCompletionMessageParam[] => {
    const asked = input.safeParse(turn.input);
    if (!asked.success) return [];
    const question = typeof asked.data === 'string' ? asked.data : asked.data.text;
    return [{ role: 'user', content: question }, { role: 'assistant', content: turn.text }];
  });
  return [...(systemPrompt === '' ? [] : [{ role: 'system' as const, content: systemPrompt }]), ...before, { role: 'user', content: text }];
}
