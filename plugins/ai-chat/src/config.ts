import { secret } from '@rivulet/plugin-sdk';
import { z } from 'zod';

export const config = z.object({
  /** Of the endpoint, with its /v1. */
  baseUrl: z.string().url(),
  /** Some endpoints of one's own need none. */
  apiKey: secret(z.string()).default('none'),
  model: z.string().min(1),
  systemPrompt: z.string().max(65_536).default(''),
  temperature: z.number().min(0).max(2).optional(),
  tokensMax: z.number().int().min(1).optional(),
  /** Questions and answers of the channel that go along; 0: none. */
  historyTurnsMax: z.number().int().min(0).max(1_000).default(20),
  /** Calls of the endpoint before the first token, in all. */
  callsMax: z.number().int().min(1).max(10).default(3),
  /** First wait between two calls, ms; doubled each time. */
  retryMs: z.number().int().min(1).max(60_000).default(500),
  /** An endpoint from which nothing comes for this long has stalled, ms. */
  stallMsMax: z.number().int().min(100).max(600_000).default(30_000),
});
export type ChatConfig = z.output<typeof config>;
