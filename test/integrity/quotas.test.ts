/** Quotas on real processes and a real Kafka: over gRPC, two allocators, their death, and the owner's lifecycle. */
import type { OpenedStream, Problem } from '@rivulet/protocol';
import { eventually } from '../support/eventually';
import { startSystem } from '../support/system';
import type { System } from '../support/system';

const OPEN_MAX = 4;

let system: System;
beforeAll(async () => { system = await startSystem({ counts: { allocator: 2 }, env: { RIVULET_QUOTAS: `*:openStreams=${OPEN_MAX}` } }); });
afterAll(async () => { await system?.stop(); });

async function post<T>(path: string, body: unknown, token = system.apiKey): Promise<{ status: number; body: T }> {
  const response = await fetch(system.urls.ingest + path, {
    method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() as T };
}
const open = (): Promise<{ status: number; body: OpenedStream & Problem }> => post('/v1/streams', {});

/** Whether both allocators have seen so many open streams: until then each lets in what the other has just opened. */
async function untilBothCount(count: number): Promise<void> {
  for (const { url } of system.instances.allocator) {
    await eventually(async () => expect(await (await fetch(`${url}/metrics`)).text()).toMatch(new RegExp(`^rivulet_quota_open_streams\\{.*\\} ${count}$`, 'm')));
  }
}

test('[APPEND-13] open streams are one number for all allocators, survives their death, and falls when a stream ends', async () => {
  const opened: OpenedStream[] = [];
  while (opened.length < OPEN_MAX) {
    const { status, body } = await open();
    expect(status).toBe(201);
    opened.push(body);
  }
  await untilBothCount(OPEN_MAX);
  // More than one, so that each allocator is asked.
  for (let n = 0; n < 4; n += 1) expect(await open()).toMatchObject({ status: 429, body: { code: 'QUOTA_EXCEEDED', quota: 'openStreams', limit: OPEN_MAX } });
  await Promise.all([0, 1].map((index) => system.kill('allocator', 'SIGKILL', index)));
  await Promise.all([0, 1].map((index) => system.restart('allocator', index)));
  await untilBothCount(OPEN_MAX);
  await eventually(async () => expect(await open()).toMatchObject({ status: 429 }));
  const [first] = opened;
  expect(await post(`/v1/streams/${first!.streamNo}/end`, { lastSeq: 0 }, first!.writeToken)).toMatchObject({ status: 200 });
  await untilBothCount(OPEN_MAX - 1);
  expect(await open()).toMatchObject({ status: 201 });
});
