// (e) kill -9 of fanout with 10,000 historical streams: how long until a session gets content again.
import { row } from './report.mjs';
import { elapse, openStreams } from './streams.mjs';
import { SseSocket } from './wire-sockets.mjs';

const HISTORY = 10_000;

async function post(system, path, token, body) {
  const response = await fetch(`${system.urls.ingest}${path}`, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (response.status >= 300) throw new Error(`${path}: ${response.status} ${await response.text()}`);
}

async function firstFragment(system, { streamNo, readToken }) {
  for (;;) {
    const seen = await new Promise((resolve) => {
      const session = new SseSocket(`${system.urls.fanout}/v1/watch/${streamNo}/events`, readToken, (name) => {
        if (name === 'fragment') { resolve(true); session.close(); }
      });
      session.opened.catch(() => resolve(false));
      void session.closed.then(() => resolve(false));
    });
    if (seen) return;
    await elapse(10);
  }
}

export async function restore({ system }) {
  const live = (await openStreams(system, 1, { leaseMs: 600_000 }))[0];
  await post(system, `/v1/streams/${live.streamNo}/fragments`, live.writeToken, { seq: 1, data: 'before' });
  let made = 0;
  const began = performance.now();
  await Promise.all(Array.from({ length: 64 }, async () => {
    while (made < HISTORY) {
      made += 1;
      const [stream] = await openStreams(system, 1);
      await post(system, `/v1/streams/${stream.streamNo}/fragments`, stream.writeToken, { fragments: [{ seq: 1, data: 'one ' }, { seq: 2, data: 'two ' }, { seq: 3, data: 'three' }] });
      await post(system, `/v1/streams/${stream.streamNo}/end`, stream.writeToken, { lastSeq: 3 });
    }
  }));
  const makingSeconds = (performance.now() - began) / 1000;
  await elapse(1000);
  await system.kill('fanout', 'SIGKILL');
  const start = performance.now();
  const restarting = system.restart('fanout');
  await firstFragment(system, live);
  const seconds = (performance.now() - start) / 1000;
  await restarting;
  return [
    row('kill -9 of fanout, 10,000 historical streams', 'until a session gets content again', seconds, 's', { target: '≤ 5 s', met: seconds <= 5 }),
    row('kill -9 of fanout, 10,000 historical streams', 'opened, written and ended, 64 at a time', HISTORY / makingSeconds, 'streams/s'),
  ];
}
