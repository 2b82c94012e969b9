import { rivulet } from '@rivulet/client';
import { startRivulet } from '@rivulet/standalone';
import type { RunningRivulet } from '@rivulet/standalone';

let running: RunningRivulet;
beforeAll(async () => { running = await startRivulet(); });
afterAll(async () => { await running.stop(); });

test('what is written is what is read', async () => {
  const client = rivulet({ url: running.url, token: running.apiKey });
  const answer = await client.open({ channel: 'chat-42' });
  for (const word of ['Hello, ', 'stream.']) await answer.write(word);
  await answer.end();
  expect(await client.watch(answer.streamNo).text()).toBe('Hello, stream.');
});
