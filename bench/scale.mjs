// Does a second fanout double what is delivered? Many sessions on few streams: deliveries per core-second of the fanouts, one instance, and
// two that carry as many sessions each, on the same streams, which both fold. Where there are cores for both, the ratio times two is what
// two deliver; where there are not, as on a machine of two cores that carries broker and load too, the ratio says what would be.
import { cpuSecondsOf, metricOf } from './cluster.mjs';
import { row } from './report.mjs';
import { elapse, openStreams } from './streams.mjs';
import { PostSocket, SseSocket } from './wire-sockets.mjs';

const STREAMS = 8;
const SESSIONS_EACH = 1_000;
const PER_SECOND = 25;
const TEXT = 'x'.repeat(100);

const sum = (values) => values.reduce((total, value) => total + value, 0);

async function usage(urls) {
  const [cpu, deliveries] = await Promise.all([
    Promise.all(urls.map(cpuSecondsOf)), Promise.all(urls.map((url) => metricOf(url, 'rivulet_deliveries_total'))),
  ]);
  return { cpu: sum(cpu), deliveries: sum(deliveries) };
}

/** @returns deliveries per core-second and per second over the fanouts at `urls` */
async function measure(system, urls, seconds) {
  const streams = await openStreams(system, STREAMS);
  const sessions = Array.from({ length: SESSIONS_EACH * urls.length }, (_, index) => {
    const { streamNo, readToken } = streams[index % STREAMS];
    return new SseSocket(`${urls[Math.floor(index / STREAMS) % urls.length]}/v1/watch/${streamNo}/events`, readToken, () => undefined);
  });
  await Promise.all(sessions.map((session) => session.opened));
  const posts = streams.map(() => new PostSocket(system.urls.ingest));
  const heads = streams.map(({ streamNo, writeToken }, index) => posts[index].request('POST', `/v1/streams/${streamNo}/fragments`, writeToken));
  let isWriting = true;
  const writing = posts.map(async (post, index) => {
    for (let sequence = 1; isWriting; sequence += 1) {
      await post.send(heads[index], `{"seq":${sequence},"data":"${TEXT}"}`);
      await elapse(1000 / PER_SECOND);
    }
  });
  await elapse(2_000);
  const before = await usage(urls);
  const start = performance.now();
  await elapse(seconds * 1000);
  const after = await usage(urls);
  const elapsed = (performance.now() - start) / 1000;
  isWriting = false;
  await Promise.all(writing);
  for (const socket of [...sessions, ...posts]) socket.close();
  const deliveries = after.deliveries - before.deliveries;
  return { perCoreSecond: deliveries / (after.cpu - before.cpu), perSecond: deliveries / elapsed };
}

export async function scale({ system, isQuick }) {
  const seconds = isQuick ? 5 : 10;
  const urls = system.instances.fanout.map(({ url }) => url);
  const one = await measure(system, urls.slice(0, 1), seconds);
  const two = await measure(system, urls, seconds);
  const factor = (2 * two.perCoreSecond) / one.perCoreSecond;
  const question = `${SESSIONS_EACH} sessions each on ${STREAMS} streams, one fanout and two`;
  return [
    row(question, 'deliveries per core-second of fanout, two (reference: one)', two.perCoreSecond, '/s', { reference: one.perCoreSecond, ratio: two.perCoreSecond / one.perCoreSecond }),
    row(question, 'so two with cores of their own deliver', factor, '× one', { target: '≥ 1.6 ×', met: factor >= 1.6 }),
    row(question, 'deliveries/s asked for and seen, two (reference: one)', two.perSecond, '/s', { reference: one.perSecond, ratio: two.perSecond / one.perSecond }),
  ];
}
