import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rivulet } from '@rivulet/client';
import { startRivulet } from '@rivulet/standalone';

test('an outage costs time, not content', async (t) => {
  const running = await startRivulet({ env: { RIVULET_INGEST_APPEND_MS_MAX: '200' } });
  t.after(() => running.stop());
  const client = rivulet({ url: running.url, token: running.apiKey });
  const answer = await client.open();
  running.faults.kafkaAway = true;
  await answer.write('still here');
  setTimeout(() => { running.faults.kafkaAway = false; }, 500);
  await answer.end();
  assert.equal(await client.watch(answer.streamNo).text(), 'still here');
});
