// (e) kill -9 of fanout with a history of ended streams: how long until a session gets content again.
// Reference: the same kill without a history; most of both is the session time-out of the group.
import { row } from './report.mjs';
import { elapse, openStreams } from './streams.mjs';
import { SseSocket } from './wire-sockets.mjs';


async function post(system, path, token, body) {
  const response = await fetch(`${system.urls.ingest}${path}`, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (response.status >= 300) throw new Error(`${path}: ${response.status} ${await response.text()}`);
}

async function firstFragment(system, { streamNo, readToken }) {
  for (;;) {
    const seen = await new Promise((resolve) => {
      const session = new SseSocket(`${system.urls.fanout}/v1/watch/${streamNo}/events`, readToken, (name) => {
        // `unavailable`: still restoring; like an EventSource, come again.
        if (name !== 'fragment' && name !== 'unavailable') return;
        resolve(name === 'fragment');
        session.close();
      });
      session.opened.catch(() => resolve(false));
      void session.closed.then(() => resolve(false));
    });
    if (seen) return;
    await elapse(10);
  }
}

/** @returns seconds from the kill until a session has content again */
async function killAndWatch(system, live) {
  await system.kill('fanout', 'SIGKILL');
  const start = performance.now();
  const restarting = system.restart('fanout');
  await firstFragment(system, live);
  const seconds = (performance.now() - start) / 1000;
  await restarting;
  return seconds;
}

export async function restore({ system, isQuick }) {
  const history = isQuick ? 3000 : 10_000;
  const question = `kill -9 of fanout, ${history} historical streams`;
  const live = (await openStreams(system, 1, { leaseMs: 600_000 }))[0];
  await post(system, `/v1/streams/${live.streamNo}/fragments`, live.writeToken, { seq: 1, data: 'before' });
  const withoutHistory = await killAndWatch(system, live);
  let made = 0;
  const began = performance.now();
  await Promise.all(Array.from({ length: 64 }, async () => {
    while (made < history) {
      made += 1;
      const [stream] = await openStreams(system, 1);
      await post(system, `/v1/streams/${stream.streamNo}/fragments`, stream.writeToken, { fragments: [{ seq: 1, data: 'one ' }, { seq: 2, data: 'two ' }, { seq: 3, data: 'three' }] });
      await post(system, `/v1/streams/${stream.streamNo}/end`, stream.writeToken, { lastSeq: 3 });
    }
  }));
  const makingSeconds = (performance.now() - began) / 1000;
  await elapse(1000);
  const seconds = await killAndWatch(system, live);
  return [
    row(question, 'until a session gets content again', seconds, 's', {
      reference: withoutHistory, ratio: seconds / withoutHistory, target: '≤ 5 s', met: seconds <= 5,
    }),
    row(question, 'opened, written and ended, 64 at a time', history / makingSeconds, 'streams/s'),
  ];
}
