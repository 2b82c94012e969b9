import { setTimeout as elapse } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { decodeRecord, judge, StreamError } from '@rivulet/protocol';
import type { LogRecord, StreamState } from '@rivulet/protocol';
import type { StoredRecord } from '@rivulet/log';
import { Command } from 'commander';
import { withExamples } from './examples';
import { Interrupted } from './exit-codes';
import { batchesOf, lifecycleOf, openLogAt, partitionOf } from './log-access';
import type { OpenedLog } from './log-access';
import { speed } from './numbers';
import { interruption, put, putJson, tell } from './output';
import { neededKafka, withKafka } from './settings';
import type { KafkaOptions } from './settings';

interface ReplayOptions extends KafkaOptions { speed: number; events?: boolean; json?: boolean }

/** One record's share of the content, and when the broker got it. */
interface Beat { at: number; offset: number; from: number; payloads: Uint8Array[]; isRewind: boolean }

export function replayCommand(): Command {
  const command = new Command('replay')
    .summary('show a stream at the pace at which it came')
    .description('Show a stream again at the pace at which it came, from the broker times of its records in Kafka.')
    .argument('<streamNo>', 'the stream')
    .option('--speed <factor>', '1x: as it came; 0.5x, 4x, …; max: without waiting', speed, 1)
    .option('--events', 'NDJSON with time, offset and sequence instead of the content')
    .option('--json', 'the same as --events');
  return withExamples(withKafka(command), 'rivulet replay 20d2125e6h820nmsma8x7sk8y9zj2htf --speed 4x', 'rivulet replay 20d2125e6h820nmsma8x7sk8y9zj2htf --speed max | rivulet pipe --channel again')
    .action(replay);
}

async function replay(streamNo: string, options: ReplayOptions): Promise<void> {
  const signal = interruption();
  const opened = await openLogAt(neededKafka(options));
  try {
    const pace = new Pace(options.speed, signal);
    for await (const beat of beatsOf(opened, streamNo, partitionOf(streamNo))) {
      await pace.until(beat.at);
      await show(beat, options.events === true || options.json === true);
    }
  } catch (error) {
    if (signal.aborted) throw new Interrupted('Interrupted.');
    throw error;
  } finally {
    await opened.close();
  }
}

async function show({ at, offset, from, payloads, isRewind }: Beat, isEvents: boolean): Promise<void> {
  if (isRewind) tell('rewind: the producer started over; what came before is void');
  const content = Buffer.concat(payloads);
  if (isEvents) await putJson({ at, offset, ...(isRewind ? { type: 'rewind' } : { type: 'fragment', from, to: from + payloads.length - 1, base64: content.toString('base64') }) });
  else if (content.length > 0) await put(content);
}

/** Keeps the distances of the original, divided by the speed; counted from the beginning, so that waits do not add up their errors. */
class Pace {
  private begun: { at: number; now: number } | null = null;

  constructor(private readonly factor: number, private readonly signal: AbortSignal) {}

  async until(at: number): Promise<void> {
    this.signal.throwIfAborted();
    this.begun ??= { at, now: performance.now() };
    const waitMs = (at - this.begun.at) / this.factor - (performance.now() - this.begun.now);
    if (waitMs > 0) await elapse(waitMs, undefined, { signal: this.signal });
  }
}

/** What the judge accepts, in order, as it did live. @throws StreamError STREAM_NOT_FOUND, CURSOR_EXPIRED when its beginning is gone */
async function* beatsOf(opened: OpenedLog, streamNo: string, partition: number): AsyncGenerator<Beat> {
  const { log, topics } = opened;
  const { value } = await lifecycleOf(opened, streamNo, partition);
  const { start, end } = await log.bounds(topics.fragments, partition);
  if (value && value.openedOffset < start) throw new StreamError('CURSOR_EXPIRED', { detail: 'The beginning of this stream is no longer in Kafka.' });
  let state: StreamState | undefined;
  for await (const { records } of batchesOf(log, { topic: topics.fragments, partition, from: value?.openedOffset ?? start, until: end })) {
    for (const record of records) {
      const decoded = record.key === streamNo ? decodedOf(record) : null;
      if (decoded === null) continue;
      const judged = judge(state, streamNo, decoded, record.offset, record.timestamp, crc32);
      state = judged.state;
      for (const effect of judged.effects) {
        const place = { at: record.timestamp, offset: record.offset };
        if (effect.kind === 'attempt' && effect.keep === 'none') yield { ...place, from: 1, payloads: [], isRewind: true };
        if (effect.kind === 'fragments') yield { ...place, from: effect.firstSequence, payloads: effect.payloads, isRewind: false };
      }
      if (state?.final) return;
    }
  }
  if (state === undefined) throw new StreamError('STREAM_NOT_FOUND', { detail: `Partition ${partition} of ${topics.fragments} has no record of this stream; check --topic-prefix and --brokers.` });
}

/** Copied: the waits between outlive the batch. */
function decodedOf({ value }: StoredRecord): LogRecord | null {
  try {
    return value === null ? null : decodeRecord(Buffer.from(value));
  } catch {
    return null; // [OWN-7] the fold leaves it out too
  }
}
