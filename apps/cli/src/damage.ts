import type { BytePlace } from './content-map';

/** What `verify` finds. Codes are never renamed: scripts match them. */
export type DamageCode =
  | 'RECORD_UNREADABLE' | 'RECORD_UNDECODABLE' | 'CONTENT_ALTERED' | 'CONTENT_DIFFERS' | 'FRAGMENTS_MISSING' | 'KEY_ALTERED' | 'WRONG_PARTITION'
  | 'LOG_TRUNCATED' | 'BEGINNING_GONE' | 'DIGEST_DIFFERS' | 'LIFECYCLE_DIFFERS' | 'LIFECYCLE_UNREADABLE' | 'STREAM_UNKNOWN';

/** One altered byte that would explain a checksum. */
export interface Suspect extends BytePlace {
  /** Found XOR original. */
  difference: number;
  /** Once it has been looked at. */
  found?: number;
  original?: number;
  /** With the original byte the content has the SHA-256 that its producer sealed. */
  isProved: boolean;
}

export interface Damage {
  code: DamageCode;
  /** Offsets of the partition between which it lies, inclusive; the same when it is one record. */
  fromOffset: number;
  toOffset: number;
  what: string;
  remedy: string;
  /** Records of the stream in that stretch, when they are few. */
  records?: number[];
  suspects?: Suspect[];
}

const REMEDIES: Record<DamageCode, string> = {
  RECORD_UNREADABLE: 'Restore the partition from another replica (kafka-reassign-partitions), or from a copy of the topic; check the disk of its leader.',
  RECORD_UNDECODABLE: 'Find what else writes to this topic: only Rivulet may. The stream goes on without the record, which is kept in the dead letters.',
  CONTENT_ALTERED: 'Send the content again as a new stream; if the topic was mirrored or restored, copy this partition again from its source.',
  CONTENT_DIFFERS: 'Read the records in this stretch with kafka-console-consumer and compare them with the source of the copy, or send the content again.',
  FRAGMENTS_MISSING: 'Copy this partition again from its source, or send the content again as a new stream.',
  KEY_ALTERED: 'Copy this partition again from its source; if it never was copied, find what else writes to the topic.',
  WRONG_PARTITION: 'Find what else writes to the topic: the partition is in the streamNo, nothing is hashed.',
  LOG_TRUNCATED: 'Check unclean.leader.election.enable and the replicas of this partition; send what is lost again.',
  BEGINNING_GONE: 'Raise retention.ms of the fragments topic above time to live plus retention of the streams, or give them less.',
  DIGEST_DIFFERS: 'Ask the producer what it sealed: the bytes are those that were appended, but not those of its SHA-256.',
  LIFECYCLE_DIFFERS: 'Restart the fanout that owns this partition: the next owner folds the log again and publishes what it finds.',
  LIFECYCLE_UNREADABLE: 'Restart the fanout that owns this partition: the next owner publishes the stream again.',
  STREAM_UNKNOWN: 'Check --topic-prefix and --brokers; a stream is removed for good once its retention has ended.',
};

export const damage = (code: DamageCode, fromOffset: number, toOffset: number, what: string, more: Pick<Damage, 'records' | 'suspects'> = {}): Damage =>
  ({ code, fromOffset, toOffset, what, remedy: REMEDIES[code], ...more });
