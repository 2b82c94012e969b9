import { integerRow, readConfig, serviceRows, textRow } from '@rivulet/service';
import type { ConfigOf } from '@rivulet/service';

const MIB = 1024 * 1024;

/** Rows of fanout. */
export const fanoutRows = {
  fanoutPort: integerRow({
    env: 'RIVULET_FANOUT_PORT', fallback: 7103, min: 0, max: 65_535, doc: 'HTTP port of fanout. 0: any free one.',
  }),
  fanoutAddress: textRow({
    env: 'RIVULET_FANOUT_ADDRESS', fallback: '', pattern: /^https?:\/\/[^\s/]+$/, range: 'scheme://host:port',
    doc: 'Shown to operators as the address of the owner of a partition (GET /v1/admin/partitions). Default: its own host and port.',
  }),
  viewBytesMax: integerRow({
    env: 'RIVULET_FANOUT_VIEW_BYTES_MAX', fallback: 64 * MIB, min: MIB, max: 1_099_511_627_776,
    doc: 'Memory for recent fragments over all streams, bytes, of which one stream takes at most a quarter; what does not fit is read back from the log.',
  }),
  coldScansMax: integerRow({
    env: 'RIVULET_FANOUT_COLD_SCANS_MAX', fallback: 4, min: 1, max: 256,
    doc: 'Reads of the log at once for readers behind what is in memory; the others wait in line.',
  }),
  frameBytesMax: integerRow({
    env: 'RIVULET_FANOUT_FRAME_BYTES_MAX', fallback: 65_536, min: 1_024, max: 4 * MIB,
    doc: 'Payload bytes of one event to a reader that is behind; at the head it is one fragment.',
  }),
  compressionsMax: integerRow({
    env: 'RIVULET_FANOUT_COMPRESSIONS_MAX', fallback: 4, min: 0, max: 256,
    doc: 'Pieces compressed at once (gzip of content and catch-up, permessage-deflate of WebSockets), 270 KiB and a share of a core each. Beyond, bodies go on uncompressed and WebSockets wait their turn. 0: nothing is compressed.',
  }),
  sessionStreamsMax: integerRow({
    env: 'RIVULET_FANOUT_SESSION_STREAMS_MAX', fallback: 1_000, min: 1, max: 100_000,
    doc: 'Streams on one connection: subscriptions of a WebSocket, streams of a channel feed.',
  }),
  confirmMs: integerRow({
    env: 'RIVULET_FANOUT_CONFIRM_MS', fallback: 5_000, min: 50, max: 600_000,
    doc: 'A named session that confirms nothing for so long is probed, and after as long again gets its unconfirmed part anew, ms.',
  }),
  streamSessionsMax: integerRow({
    env: 'RIVULET_FANOUT_STREAM_SESSIONS_MAX', fallback: 1_000, min: 1, max: 10_000,
    doc: 'Session names of one stream; further ones are refused.',
  }),
  partitionSessionsMax: integerRow({
    env: 'RIVULET_FANOUT_PARTITION_SESSIONS_MAX', fallback: 20_000, min: 1, max: 10_000_000,
    doc: 'Session names over all streams of a partition, about 600 bytes of memory each where it is folded; further ones are refused until streams are removed.',
  }),
  allocatorMsMax: integerRow({
    env: 'RIVULET_FANOUT_ALLOCATOR_MS_MAX', fallback: 10_000, min: 100, max: 60_000,
    doc: 'How long a cancel of a reader may take at the allocator, ms.',
  }),
  replayBytesMax: integerRow({
    env: 'RIVULET_FANOUT_REPLAY_BYTES_MAX', fallback: 8 * MIB, min: 65_536, max: 1024 * MIB,
    doc: 'What a new owner of a partition may have to replay, bytes: bounds the time of a takeover, costs lifecycle writes.',
  }),
  tickMs: integerRow({
    env: 'RIVULET_FANOUT_TICK_MS', fallback: 250, min: 10, max: 1_000,
    doc: 'How often lease, gap, ttl and retention are looked at, ms.',
  }),
  proofMs: integerRow({
    env: 'RIVULET_FANOUT_PROOF_MS', fallback: 1_000, min: 50, max: 10_000,
    doc: 'While streams are open and nothing arrives, how often Kafka is asked whether all of it was seen, ms.',
  }),
  pauseMsMax: integerRow({
    env: 'RIVULET_FANOUT_PAUSE_MS_MAX', fallback: 3_000, min: 500, max: 60_000,
    doc: 'A standstill longer than this is an outage: leases restart full after it, ms.',
    check: (values) => ((values['pauseMsMax'] as number) < (values['proofMs'] as number) * 2
      ? 'is below twice RIVULET_FANOUT_PROOF_MS, so normal running would look like outages; raise it' : null),
  }),
  followIdleMs: integerRow({
    env: 'RIVULET_FANOUT_FOLLOW_IDLE_MS', fallback: 60_000, min: 100, max: 86_400_000,
    doc: 'A partition that another instance owns is folded here as long as somebody reads it, and for so long after the last reader, ms.',
  }),
  lifecycleMsMax: integerRow({
    env: 'RIVULET_FANOUT_LIFECYCLE_MS_MAX', fallback: 10_000, min: 500, max: 120_000,
    doc: 'A lifecycle value that is not durable after this long is written anew, ms.',
  }),
} as const;

export const fanoutProcessRows = { ...serviceRows, ...fanoutRows } as const;
export type FanoutConfig = ConfigOf<typeof fanoutProcessRows>;

export const FANOUT_PREFIX = 'RIVULET_FANOUT_';

/** @throws ConfigError with every problem */
export function readFanoutConfig(env: NodeJS.ProcessEnv): FanoutConfig {
  return readConfig(fanoutProcessRows, env, FANOUT_PREFIX);
}
