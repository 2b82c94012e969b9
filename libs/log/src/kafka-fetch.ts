import { READ_UNCOMMITTED } from './kafka-epoch-requests';
import type { FetchSession } from './kafka-fetch-session';
import { buildFetch, FETCH_API_KEY, FETCH_VERSION } from './kafka-internals';
import type { KafkaBroker } from './kafka-internals';
import { decodeRecordSet, readInt64 } from './record-batch';
import type { RecordSet } from './record-batch';

export interface FetchPlace {
  topic: string;
  partition: number;
  /** The newest that is known: a leader of before refuses it [KAFKA-27]. */
  leaderEpoch: number;
  from: number;
  bytesMax: number;
}
export interface FetchBounds { waitMs: number; bytesMax: number; isChecked?: boolean }
export interface FetchedPartition extends RecordSet {
  topic: string;
  partition: number;
  /** 0, or why this partition (and only this one) gave nothing. */
  errorCode: number;
  highWatermark: number;
}

export const ERROR_OFFSET_OUT_OF_RANGE = 1;

const ERROR_FETCH_SESSION_ID_NOT_FOUND = 70;
const ERROR_INVALID_FETCH_SESSION_EPOCH = 71;

/** The broker has dropped the session: the next request is to be a full one. */
class SessionGone extends Error {}

/**
 * One fetch of several partitions from their leader. kafkajs's own response parser throws on the first partition with an error and does
 * not say which one it was; here every partition answers for itself.
 * @param session keeps what the broker knows; with it, partitions without news are left out of the answer
 */
export async function fetchPartitions(
  broker: KafkaBroker, places: FetchPlace[], bounds: FetchBounds, session?: FetchSession,
): Promise<FetchedPartition[]> {
  const supported = broker.versions?.[FETCH_API_KEY];
  if (supported && supported.maxVersion < FETCH_VERSION) throw new Error('This Kafka is older than 2.1; it does not speak Fetch version 10.');
  const isIncremental = session !== undefined && session.known.size > 0;
  try {
    return await fetchOnce(broker, places, bounds, session);
  } catch (error) {
    session?.reset();
    if (isIncremental && error instanceof SessionGone) return fetchOnce(broker, places, bounds, session);
    throw error;
  }
}

async function fetchOnce(
  broker: KafkaBroker, places: FetchPlace[], bounds: FetchBounds, session: FetchSession | undefined,
): Promise<FetchedPartition[]> {
  const part = session?.begin(places);
  const asked = session?.known ?? new Map(places.map((place) => [`${place.topic}/${place.partition}`, place]));
  const fetch = buildFetch({
    isolationLevel: READ_UNCOMMITTED,
    maxWaitTime: bounds.waitMs,
    minBytes: 1, // answer with the first byte there is
    maxBytes: bounds.bytesMax,
    topics: byTopic(part?.places ?? places),
    ...(part && {
      sessionId: part.sessionId,
      sessionEpoch: part.sessionEpoch,
      forgottenTopics: part.forgotten.map(({ topic, partition }) => ({ topic, partitions: [partition] })),
    }),
  });
  const answer = await broker.connectionPool.send({
    ...fetch,
    response: { decode: async (raw) => ({ clientSideThrottleTime: raw.readInt32BE(0), raw }), parse: async (decoded) => decoded },
    logResponseError: false,
  });
  const { raw } = answer as { raw: Buffer };
  const errorCode = raw.readInt16BE(4);
  if (errorCode === ERROR_FETCH_SESSION_ID_NOT_FOUND || errorCode === ERROR_INVALID_FETCH_SESSION_EPOCH) throw new SessionGone();
  if (errorCode !== 0) throw new Error(`The fetch was refused with Kafka error ${errorCode}.`);
  const fetched = await decodeFetch(raw, asked, bounds.isChecked ?? false);
  session?.answered(raw.readInt32BE(6));
  return fetched;
}

function byTopic(places: FetchPlace[]): Parameters<typeof buildFetch>[0]['topics'] {
  const topics = new Map<string, Parameters<typeof buildFetch>[0]['topics'][number]['partitions']>();
  for (const { topic, partition, leaderEpoch, from, bytesMax } of places) {
    let partitions = topics.get(topic);
    if (!partitions) topics.set(topic, (partitions = []));
    partitions.push({ partition, currentLeaderEpoch: leaderEpoch, fetchOffset: String(from), maxBytes: bytesMax });
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
}

/** Fetch response, version 10: throttle time, error, session, then topics of partitions with their record sets. */
async function decodeFetch(raw: Buffer, asked: ReadonlyMap<string, FetchPlace>, isChecked: boolean): Promise<FetchedPartition[]> {
  const fetched: FetchedPartition[] = [];
  let at = 10; // throttle 4, error 2, session 4
  const int32 = () => raw.readInt32BE((at += 4) - 4);
  for (let topics = int32(); topics > 0; topics -= 1) {
    const nameLength = raw.readInt16BE(at);
    const topic = raw.toString('utf8', at + 2, at + 2 + nameLength);
    at += 2 + nameLength;
    for (let partitions = int32(); partitions > 0; partitions -= 1) {
      const partition = int32();
      const partitionError = raw.readInt16BE(at);
      const highWatermark = readInt64(raw, at + 2);
      at += 2 + 8 + 8 + 8; // error, high watermark, last stable offset, log start
      const aborted = int32();
      at += Math.max(0, aborted) * 16;
      const size = Math.max(0, int32());
      const set = raw.subarray(at, at + size);
      at += size;
      const next = asked.get(`${topic}/${partition}`)?.from;
      if (next === undefined) continue;
      fetched.push({ topic, partition, errorCode: partitionError, highWatermark, ...(await decodeRecordSet(set, next, isChecked)) });
    }
  }
  return fetched;
}
