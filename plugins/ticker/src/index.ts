import { definePlugin } from '@rivulet/plugin-sdk';
import { z } from 'zod';

const input = z.object({
  intervalMs: z.number().int().min(10).max(60_000).default(1_000),
  /** Without it: until it is cancelled or the stream's time is over. */
  count: z.number().int().min(1).optional(),
  start: z.number().default(100),
}).default({});

/** A value that changes again and again, on a `latest` stream: a reader that is slow or late gets the newest, not all of them. */
export default definePlugin({
  name: 'ticker', version: '0.1.0', api: 1, config: z.object({}),
  stream: { contentType: 'application/json', merge: 'latest' }, pace: { intervalMs: 0 }, limits: { concurrency: 256, timeoutMs: 86_400_000 },
  hooks: {
    async receive(_ctx, request, stream) {
      const { intervalMs, count = Infinity, start } = input.parse(request.input ?? undefined);
      let value = start;
      let ticks = 0;
      while (ticks < count) {
        if (ticks > 0) await tick(intervalMs, stream.signal);
        ticks += 1;
        value = Math.round((value + Math.random() * 2 - 1) * 100) / 100;
        await stream.write({ tick: ticks, at: Date.now(), value });
      }
      return { ticks };
    },
  },
});

const tick = (ms: number, signal: AbortSignal): Promise<void> => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    reject(signal.reason as Error);
  }, { once: true });
});
