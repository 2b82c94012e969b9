import { integerRow, listRow, readConfig, serviceRows, urlRow } from '@rivulet/service';
import type { ConfigOf } from '@rivulet/service';
import { bindingsRow } from './bindings';
import type { Bindings } from './bindings';

const DAY_MS = 24 * 3_600_000;
/** Retention of the topic `fragments`: a stream that lived longer would lose its beginning [OWN-4]. */
export const TOPIC_RETENTION_MS = 7 * DAY_MS;

const PLUGIN_HOST = urlRow({ env: 'RIVULET_ALLOCATOR_PLUGIN_HOSTS', fallback: '', doc: '' });

/** Rows of the allocator. What the judge uses is copied from here into each `open` [JUDGE-10]. */
export const allocatorRows = {
  allocatorPort: integerRow({ env: 'RIVULET_ALLOCATOR_PORT', fallback: 7101, min: 0, max: 65_535, doc: 'HTTP port of the allocator. 0: any free one.' }),
  allocatorGrpcPort: integerRow({ env: 'RIVULET_ALLOCATOR_GRPC_PORT', fallback: 7111, min: 1, max: 65_535, doc: 'gRPC port, for ingest, fanout and plugin hosts.' }),
  leaseMs: integerRow({ env: 'RIVULET_ALLOCATOR_LEASE_MS', fallback: 10_000, min: 1_000, max: 3_600_000, doc: 'Lease of a stream that asks for none, ms: without a sign of life for this long it is `lost`.' }),
  leaseMsMax: integerRow({ env: 'RIVULET_ALLOCATOR_LEASE_MS_MAX', fallback: 3_600_000, min: 1_000, max: DAY_MS, doc: 'Longest lease an open may ask for, ms.',
    check: (values) => ((values['leaseMs'] as number) > (values['leaseMsMax'] as number) ? 'is below RIVULET_ALLOCATOR_LEASE_MS; raise it' : null) }),
  ttlMs: integerRow({ env: 'RIVULET_ALLOCATOR_TTL_MS', fallback: DAY_MS, min: 1_000, max: TOPIC_RETENTION_MS, doc: 'How long a stream may be written that asks for nothing else, ms; then it is `expired`.' }),
  retentionMs: integerRow({ env: 'RIVULET_ALLOCATOR_RETENTION_MS', fallback: DAY_MS, min: 0, max: TOPIC_RETENTION_MS, doc: 'How long the content of a final stream is kept that asks for nothing else, ms.',
    check: (values) => ((values['ttlMs'] as number) + (values['retentionMs'] as number) > TOPIC_RETENTION_MS
      ? `and RIVULET_ALLOCATOR_TTL_MS together are above ${TOPIC_RETENTION_MS} ms, the retention of the topic; lower one` : null) }),
  heldFragmentsMax: integerRow({ env: 'RIVULET_ALLOCATOR_HELD_FRAGMENTS_MAX', fallback: 64, min: 1, max: 1_024, doc: 'Fragments of a stream held behind a missing one; an open may ask for fewer.' }),
  heldBytesMax: integerRow({ env: 'RIVULET_ALLOCATOR_HELD_BYTES_MAX', fallback: 4_194_304, min: 1_024, max: 67_108_864, doc: 'Bytes of a stream held behind a missing fragment; an open may ask for fewer.' }),
  gapMsMax: integerRow({ env: 'RIVULET_ALLOCATOR_GAP_MS_MAX', fallback: 30_000, min: 100, max: 3_600_000, doc: 'A fragment missing for longer fails its stream, ms; an open may ask for less.' }),
  attemptsMax: integerRow({ env: 'RIVULET_ALLOCATOR_ATTEMPTS_MAX', fallback: 16, min: 1, max: 256, doc: 'Attempts a stream may have; an open may ask for fewer.' }),
  fragmentBytesMax: integerRow({ env: 'RIVULET_ALLOCATOR_FRAGMENT_BYTES_MAX', fallback: 262_144, min: 1_024, max: 393_216, doc: 'Largest fragment, bytes; an open may ask for less.' }),
  streamBytesMax: integerRow({ env: 'RIVULET_ALLOCATOR_STREAM_BYTES_MAX', fallback: 0, min: 0, max: 1_099_511_627_776, doc: 'Largest stream, bytes; 0: no limit. An open may ask for less.' }),
  judgeVersion: integerRow({ env: 'RIVULET_ALLOCATOR_JUDGE_VERSION', fallback: 1, min: 1, max: 1, doc: 'Version of the judge that new streams ask for; raised only after every instance has been updated.' }),
  metadataBytesMax: integerRow({ env: 'RIVULET_ALLOCATOR_METADATA_BYTES_MAX', fallback: 8_192, min: 0, max: 65_536, doc: 'Largest metadata of an open, bytes of JSON.' }),
  verdictMsMax: integerRow({ env: 'RIVULET_ALLOCATOR_VERDICT_MS_MAX', fallback: 5_000, min: 100, max: 60_000, doc: 'How long a retry or cancel waits for the log\'s verdict, ms; then RETRY_PENDING or PENDING.' }),
  waitsMax: integerRow({ env: 'RIVULET_ALLOCATOR_WAITS_MAX', fallback: 10_000, min: 1, max: 1_000_000, doc: 'Calls that wait for a verdict at once; above it OVERLOADED.' }),
  endedStreamsMax: integerRow({ env: 'RIVULET_ALLOCATOR_ENDED_STREAMS_MAX', fallback: 10_000, min: 0, max: 1_000_000, doc: 'Final streams kept whole for the list; older ones are found by streamNo only.' }),
  queueBytesMax: integerRow({ env: 'RIVULET_ALLOCATOR_QUEUE_BYTES_MAX', fallback: 8_388_608, min: 65_536, max: 1_073_741_824, doc: 'Records waiting for one partition, bytes; above it OVERLOADED.' }),
  writeMsMax: integerRow({ env: 'RIVULET_ALLOCATOR_WRITE_MS_MAX', fallback: 10_000, min: 500, max: 120_000, doc: 'A record that is not durable after this long is answered LOG_UNAVAILABLE, ms.' }),
  bindings: bindingsRow({ env: 'RIVULET_ALLOCATOR_BINDINGS', doc: 'Channels bound to plugins, e.g. `[{"channel":"support.*","plugin":"ai-chat"},{"channel":"*","plugin":"audit","hooks":["persistAfter"]}]`. hooks: `receive` (default: it answers streams that have ended), `send` (it is asked at each open), `persistAfter` (it is told of each final stream). Counts for streams opened from then on. The same in every allocator.',
    check: (values) => ((values['bindings'] as Bindings).hasSend && (values['pluginHosts'] as readonly string[]).length * (values['serviceToken'] as string).length === 0
      ? 'binds the hook send; name the plugin hosts in RIVULET_ALLOCATOR_PLUGIN_HOSTS and set RIVULET_SERVICE_TOKEN' : null) }),
  pluginHosts: listRow({ env: 'RIVULET_ALLOCATOR_PLUGIN_HOSTS', entry: 'URLs', countMax: 32, parseEntry: PLUGIN_HOST.parse, doc: 'Where plugin hosts are asked for their hook `send`, in turn until one answers; a name may stand for several.' }),
  sendMsMax: integerRow({ env: 'RIVULET_ALLOCATOR_SEND_MS_MAX', fallback: 5_000, min: 100, max: 60_000, doc: 'How long the hook `send` may take for an open, ms, all hosts together; then nothing is opened (PLUGIN_NOT_RUNNING). Below RIVULET_INGEST_ALLOCATOR_MS_MAX.' }),
} as const;

export const allProcessRows = { ...serviceRows, ...allocatorRows } as const;
export type AllocatorConfig = ConfigOf<typeof allProcessRows>;

export const ALLOCATOR_PREFIX = 'RIVULET_ALLOCATOR_';

/** @throws ConfigError with every problem */
export function readAllocatorConfig(env: NodeJS.ProcessEnv): AllocatorConfig {
  return readConfig(allProcessRows, env, ALLOCATOR_PREFIX);
}
