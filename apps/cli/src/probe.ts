import { setTimeout as elapse } from 'node:timers/promises';
import type { OpenedStream, StreamSummary } from '@rivulet/protocol';
import { rivulet } from '@rivulet/client';
import type { Check } from './check';
import { CLOCK_MS_MAX, seconds } from './check-service';
import { ask, call } from './service';
import type { Answer } from './service';
import type { ServicePlace } from './settings';

/** A small stream of our own, through which the way to readers is measured. It is over in seconds and says what it is. */
export interface Probe {
  opened: OpenedStream;
  openedBetween: { from: number; to: number };
  /** Where readers watch: what the links in answers say, while that can be reached from here. */
  watchUrl: string;
}

const FRAGMENTS = 8;
const EVERY_MS = 120;
/** From first to last fragment. */
const SPREAD_MS = (FRAGMENTS - 1) * EVERY_MS;
const ARRIVED_MS_MAX = 8_000;
const SOCKET_MS_MAX = 5_000;

const OPTIONS = { contentType: 'text/plain; charset=utf-8', ttlMs: 60_000, retentionMs: 60_000, metadata: { purpose: 'rivulet doctor' } };

/** @returns the probe, or the answer that refused it */
export async function openProbe(place: ServicePlace): Promise<Probe | Answer> {
  const from = Date.now();
  const answer = await ask(place, '/v1/streams', { method: 'POST', body: OPTIONS });
  const openedBetween = { from, to: Date.now() };
  if (answer.status !== 201) return answer;
  const opened = answer.body as OpenedStream;
  const url = publicUrlOf(opened);
  const reached = await ask({ url, token: opened.readToken }, `/v1/watch/${opened.streamNo}`).then(({ status }) => status === 200, () => false);
  return { opened, openedBetween, watchUrl: reached ? url : place.url };
}

const publicUrlOf = ({ links }: OpenedStream): string => new URL(links.events).origin;

/** The time of an `open` is the broker's [JUDGE-3]: it must lie between our asking and our answer. */
export async function checkBrokerClock(check: Check, place: ServicePlace, { opened, openedBetween }: Probe): Promise<void> {
  const { openedAt } = await call<StreamSummary>(place, `/v1/watch/${opened.streamNo}`, { token: opened.readToken });
  const skewMs = openedAt < openedBetween.from ? openedAt - openedBetween.from : Math.max(0, openedAt - openedBetween.to);
  if (Math.abs(skewMs) <= CLOCK_MS_MAX) check.saw('broker and this machine agree on the time');
  else check.found('CLOCK_SKEW_BROKER', `The clock of the Kafka broker is ${seconds(skewMs)} this machine's.`, 'Keep the brokers by NTP: times of streams, retention and time to live are theirs.');
}

/**
 * Something between service and reader that collects before it passes on makes a live stream arrive in lumps. Fragments are dripped and
 * watched by SSE where readers watch: how much their delays differ says whether they were held. A slow but even way is none of that.
 * Measured twice before it is said: a busy machine may hold anything once.
 */
export async function checkBuffering(check: Check, place: ServicePlace, probe: Probe): Promise<void> {
  const publicUrl = publicUrlOf(probe.opened);
  if (probe.watchUrl !== publicUrl) {
    check.found('PUBLIC_URL_UNREACHABLE', `The links in answers lead to ${publicUrl}, where nothing of this installation answers.`, 'Set RIVULET_PUBLIC_URL of all services to the address that readers use.');
  }
  let current = probe;
  for (let tries = 1; ; tries += 1) {
    const delays = await drip(place, current);
    const differenceMs = delays.length < FRAGMENTS ? Infinity : Math.max(...delays) - Math.min(...delays);
    if (differenceMs <= SPREAD_MS / 2) return check.saw(`fragments arrive as they are sent, ${Math.round(Math.min(...delays))} to ${Math.round(Math.max(...delays))} ms later`);
    if (tries === 2) {
      const seen = delays.length < FRAGMENTS ? `only ${delays.length} of ${FRAGMENTS} fragments arrived` : `fragments sent over ${SPREAD_MS} ms arrived with delays that differ by ${Math.round(differenceMs)} ms`;
      check.found('BUFFERING', `Something before ${probe.watchUrl} holds events back: ${seen}.`, 'Switch buffering off for /v1/watch in the proxy in between (nginx: proxy_buffering off; no gzip; also CDN and ingress).');
      return;
    }
    const again = await openProbe(place);
    if (!('opened' in again)) return check.skip(`a second probe was refused (HTTP ${again.status})`);
    current = again;
  }
}

/** @returns delay of each fragment that arrived, ms */
async function drip(place: ServicePlace, { opened, watchUrl }: Probe): Promise<number[]> {
  const path = `/v1/streams/${opened.streamNo}`;
  const sentAt: number[] = [];
  const arrivedAt: number[] = [];
  const giveUp = AbortSignal.timeout(ARRIVED_MS_MAX + SPREAD_MS);
  const watching = (async () => {
    for await (const event of rivulet({ url: watchUrl, token: opened.readToken }).watch(opened.streamNo, { signal: giveUp })) {
      if (event.type === 'fragment') while (arrivedAt.length < event.to) arrivedAt.push(performance.now());
    }
  })().catch((error: unknown) => {
    // Nothing came in time: that is what is measured.
    if (!giveUp.aborted) throw error;
  });
  for (let seq = 1; seq <= FRAGMENTS; seq += 1) {
    await elapse(EVERY_MS);
    sentAt.push(performance.now());
    await call(place, `${path}/fragments`, { method: 'POST', token: opened.writeToken, body: { seq, data: `${seq} ` } });
  }
  await call(place, `${path}/end`, { method: 'POST', token: opened.writeToken, body: { lastSeq: FRAGMENTS } });
  await watching;
  return arrivedAt.map((at, index) => at - sentAt[index]!);
}

/** A proxy that does not pass the upgrade on leaves SSE alone working. */
export async function checkSocket(check: Check, { opened, watchUrl }: Probe): Promise<void> {
  const signal = AbortSignal.timeout(SOCKET_MS_MAX);
  try {
    for await (const event of rivulet({ url: watchUrl, token: opened.readToken }).watch(opened.streamNo, { transport: 'ws', signal })) {
      if (event.type === 'stream') return check.saw('WebSockets pass');
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    check.found('WEBSOCKET_BLOCKED', `No WebSocket comes through ${watchUrl}.`, 'Let the proxy in between pass Upgrade and Connection for /v1/watch/ws and /v1/streams/ws (nginx: proxy_http_version 1.1 and both headers).');
  }
}
