import { definePlugin } from '@rivulet/plugin-sdk';
import { z } from 'zod';

const input = z.union([z.string(), z.object({ text: z.string(), pauseMs: z.number().min(0).max(10_000).default(0) })]);

/** Says back what it is asked, word by word: to see that everything works, without anything behind it. */
export default definePlugin({
  name: 'echo', version: '0.1.0', api: 1, config: z.object({}), limits: { concurrency: 256 },
  hooks: {
    async receive(_ctx, request, stream) {
      const asked = input.parse(request.input);
      const { text, pauseMs } = typeof asked === 'string' ? { text: asked, pauseMs: 0 } : asked;
      const words = text.match(/\s*\S+\s*/gu) ?? (text === '' ? [] : [text]);
      for (const [index, word] of words.entries()) {
        if (pauseMs > 0 && index > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
        await stream.write(word);
      }
      return { words: words.length };
    },
  },
});
