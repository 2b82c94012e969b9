// A process that writes as a plugin of the bench does, through the SDK and without a plugin host.
import { createRequire } from 'node:module';

const { rivulet } = createRequire(import.meta.url)('@rivulet/client');

process.on('disconnect', () => process.exit(0));
process.on('message', async ({ url, token, input }) => {
  const producer = await rivulet({ url, token }).open({ contentType: 'text/plain; charset=utf-8' });
  process.send({ streamNo: producer.streamNo });
  for (let written = 0; written < input.count; written += 1) {
    await new Promise((resolve) => setTimeout(resolve, input.pauseMs));
    await producer.write(`${performance.timeOrigin + performance.now()}\n`);
  }
  await producer.end();
});
