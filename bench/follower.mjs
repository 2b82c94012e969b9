// What it costs a session to be at an instance that does not own its stream: 50 streams × 30/s, each watched at its owner and at a
// follower at once, in the same run. From the producer's call to the session's callback.
import { pace, timedPosts } from './latency.mjs';
import { ownersOf, partitionOf } from './cluster.mjs';
import { quantiles, row } from './report.mjs';
import { elapse, openStreams } from './streams.mjs';
import { SseSocket } from './wire-sockets.mjs';

const STREAMS = 50;

export async function follower({ system, isQuick }) {
  const streams = await openStreams(system, STREAMS);
  const owners = await ownersOf(system);
  const latencies = { owner: [], follower: [] };
  const seen = { owner: new Array(STREAMS).fill(0), follower: new Array(STREAMS).fill(0) };
  const sessions = streams.flatMap(({ streamNo, readToken }, index) => system.instances.fanout.map(({ url }) => {
    const role = owners.get(partitionOf(streamNo)) === url ? 'owner' : 'follower';
    return new SseSocket(`${url}/v1/watch/${streamNo}/events`, readToken, (name, text) => {
      if (name !== 'fragment') return;
      const now = performance.now();
      const { to, text: content } = JSON.parse(text);
      seen[role][index] = to;
      for (const [sent] of content.matchAll(/\d+\.\d+/g)) latencies[role].push(now - Number(sent));
    });
  }));
  await Promise.all(sessions.map((session) => session.opened));
  const { posts, sent, send } = timedPosts(system.urls.ingest, streams);
  await pace(isQuick ? 4 : 8, send); // warms the JVM and the services
  for (const list of Object.values(latencies)) list.length = 0;
  await pace(isQuick ? 8 : 20, send);
  const deadline = performance.now() + 5000;
  const isBehind = (role) => seen[role].some((sequence, index) => sequence < sent[index]);
  while ((isBehind('owner') || isBehind('follower')) && performance.now() < deadline) await elapse(20);
  const lost = Object.values(seen).flat().reduce((sum, sequence, index) => sum + sent[index % STREAMS] - sequence, 0);
  for (const socket of [...sessions, ...posts]) socket.close();
  const [owner, followed] = [quantiles(latencies.owner), quantiles(latencies.follower)];
  const question = 'a session away from the owner (50 streams × 30/s, watched at both)';
  const added = followed.p50 - owner.p50;
  return [
    row(question, 'p50', followed.p50, 'ms', { reference: owner.p50, ratio: followed.p50 / owner.p50, target: '≤ 1.5 ms more', met: added <= 1.5 }),
    row(question, 'p99', followed.p99, 'ms', { reference: owner.p99, ratio: followed.p99 / owner.p99 }),
    row(question, 'fragments lost', lost, '', { target: '0', met: lost === 0 }),
  ];
}
