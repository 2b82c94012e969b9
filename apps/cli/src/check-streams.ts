import { ERRORS, parseStreamNo, STREAM_NO_LENGTH } from '@rivulet/protocol';
import type { AdminStreamPage, StreamSummary } from '@rivulet/protocol';
import type { Check } from './check';
import { batchesOf } from './log-access';
import type { OpenedLog } from './log-access';
import { ask, problemIn } from './service';
import type { ServicePlace } from './settings';

/** So many streams of one fragment in so short a time are one message that somebody opened anew for each fragment. */
const LONELY_MIN = 5;
const LONELY_MS_MAX = 60_000;
const RECENT = 200;
const DEAD_MS_MAX = 24 * 3_600_000;

const ONE_STREAM = 'Open one stream with POST /v1/streams and send all fragments of the message with the streamNo of its answer (SDK: one open(), many write()).';

/** Why a stream is not what somebody expects. @param streamNo as it was given, maybe no streamNo at all */
export async function checkStream(check: Check, place: ServicePlace, streamNo: string): Promise<void> {
  const parts = parseStreamNo(streamNo);
  if (parts === null) {
    const shape = streamNo.length === STREAM_NO_LENGTH ? 'it has characters or a version that none has' : `it has ${streamNo.length} characters, a streamNo has ${STREAM_NO_LENGTH}`;
    check.found('STREAM_NO_NOT_ISSUED', `${streamNo.slice(0, 64)} is no streamNo: ${shape}. Fragments sent under made-up names show up as messages of their own in other systems; here they are refused.`, ONE_STREAM);
    return;
  }
  const answer = await ask(place, `/v1/watch/${streamNo}`);
  if (answer.status === 200) return checkState(check, place, answer.body as StreamSummary);
  const { code } = problemIn(answer);
  if (code === 'STREAM_NO_NOT_ISSUED') {
    check.found(code, 'It has the shape of a streamNo, but not the seal of this installation: made up, altered, or from another one.', ONE_STREAM);
  } else if (code === 'STREAM_NOT_FOUND' || code === 'STREAM_GONE') {
    check.found(code, `It was issued here at ${new Date(parts.time).toISOString()} for partition ${parts.partition}, but there is no stream (any more).`, code === 'STREAM_GONE'
      ? 'Open streams that are read later with a longer retentionMs.' : 'Send its fragments with the token of the open that issued it; after its retention it is gone for good.');
  } else check.skip(`the state of the stream is not shown (${code})`);
}

async function checkState(check: Check, place: ServicePlace, stream: StreamSummary): Promise<void> {
  const { status, sequence, bytes, epoch, final, attempts } = stream;
  check.saw(`${status}, ${sequence} fragments, ${bytes} bytes, epoch ${epoch}, ${attempts.length} ${attempts.length === 1 ? 'attempt' : 'attempts'}`);
  if (status === 'lost') check.found('STREAM_LOST', 'Its producer has given no sign of life for longer than the lease.', 'Start the producer again and let it go on with POST /v1/streams/:no/retries (SDK: retry()).');
  if (final?.status === 'failed') {
    const row = (ERRORS as Record<string, { text: string } | undefined>)[final.reason];
    check.found('STREAM_FAILED', `It failed: ${final.reason}${final.message === '' ? '' : `, ${final.message}`}.`, row?.text ?? 'The producer gave it up with this code; its own log says why.');
  }
  if (sequence > 1) return;
  const listed = await ask(place, `/v1/admin/streams?limit=${RECENT}${stream.channel === '' ? '' : `&channel=${encodeURIComponent(stream.channel)}`}`);
  if (listed.status !== 200) return;
  const isNear = (one: StreamSummary): boolean => one.channel === stream.channel && one.sequence <= 1
    && Math.abs(one.openedAt - stream.openedAt) <= LONELY_MS_MAX;
  const near = (listed.body as AdminStreamPage).streams.filter(isNear);
  if (near.length >= LONELY_MIN) sayLonely(check, near.length, stream.channel);
}

/** A look at the newest streams: is each fragment opened as a stream of its own? */
export async function checkRecent(check: Check, place: ServicePlace): Promise<void> {
  const listed = await ask(place, `/v1/admin/streams?limit=${RECENT}`);
  if (listed.status !== 200) return check.skip('listing streams needs an API key of role viewer or operator');
  const { streams } = listed.body as AdminStreamPage;
  check.saw(`${streams.length}${streams.length === RECENT ? ' or more' : ''} streams`);
  const byChannel = new Map<string, StreamSummary[]>();
  for (const stream of streams) {
    // Our own probes have eight fragments or none.
    if (stream.sequence !== 1 || stream.channel === '') continue;
    byChannel.set(stream.channel, [...(byChannel.get(stream.channel) ?? []), stream]);
  }
  for (const [channel, lonely] of byChannel) {
    // Newest first: the last of a burst stands before its first.
    const isBurst = lonely.some(({ openedAt }, index) => {
      const first = lonely[index + LONELY_MIN - 1];
      return first !== undefined && openedAt - first.openedAt <= LONELY_MS_MAX;
    });
    if (isBurst) sayLonely(check, lonely.length, channel);
  }
}

function sayLonely(check: Check, count: number, channel: string): void {
  const where = channel === '' ? 'without a channel' : `in the channel ${channel}`;
  check.found('FRAGMENTS_AS_STREAMS', `${count} streams of one fragment were opened ${where} within a minute: each fragment shows up as a message of its own.`, ONE_STREAM);
}

/** Records nobody could place: written straight to the topic, under keys that are no streamNo of their partition [NO-2] [OWN-7]. */
export async function checkDeadLetters(check: Check, { log, topics }: OpenedLog, streamNo: string | undefined): Promise<void> {
  const { start, end } = await log.bounds(topics.deadletters, 0);
  const since = Date.now() - DEAD_MS_MAX;
  const found = new Map<string, { count: number; key: string }>();
  for await (const { records } of batchesOf(log, { topic: topics.deadletters, partition: 0, from: start, until: end })) {
    for (const { key, timestamp, headers } of records) {
      if (timestamp < since || (streamNo !== undefined && key !== streamNo)) continue;
      const reason = headers?.['reason'] ?? 'unknown';
      found.set(reason, { count: (found.get(reason)?.count ?? 0) + 1, key });
    }
  }
  for (const [reason, { count, key }] of found) {
    const example = `${count} ${count === 1 ? 'record' : 'records'} within a day, the last under the key ${JSON.stringify(key.slice(0, 48))}`;
    if (reason === 'misplaced') check.found('KEYS_NOT_ISSUED', `Records were written to Kafka under keys that were never issued, or into partitions that are not theirs: ${example}.`, ONE_STREAM);
    else check.found('DEAD_LETTERS', `Records that cannot be read (${reason}): ${example}.`, 'Find what else writes to the fragments topic, and let it use the API: only Rivulet may write there.');
  }
  if (found.size === 0) check.saw('no dead letters within a day');
}
