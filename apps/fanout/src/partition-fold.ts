import { BEAT_KEY, decodeRecord, judge, parseStreamNo, PositionIndex } from '@rivulet/protocol';
import type { BeatRecord, Crc32, Effect, Judgement, LogRecord, StreamState } from '@rivulet/protocol';
import type { LogBatch, StoredRecord } from '@rivulet/log';
import type { DeadLetterSink } from './dead-letters';
import { OpenStream } from './open-stream';
import type { FoldMetrics } from './ownership-metrics';
import type { StreamTable } from './stream-table';
import type { StreamView } from './stream-view';

export interface FoldOptions {
  partition: number;
  table: StreamTable;
  deadLetters: DeadLetterSink;
  metrics: FoldMetrics;
  crc32: Crc32;
  makeView(streamNo: string): StreamView;
  /** Reads a finished stream back into memory; undefined when it is not there any more. */
  recall(streamNo: string): Promise<OpenStream | undefined>;
  /** A record that no checkpoint of its stream covers yet. @param bytesBefore bytes folded before it */
  onUncovered(stream: OpenStream, offset: number, bytesBefore: number): void;
  /** Something that everyone may know has changed. */
  onPublic(stream: OpenStream): void;
  /** A stream that was not there before. */
  onOpened(stream: OpenStream): void;
}

/** Of a stream, before a record was judged. */
interface Before { wasFinal: boolean; writerRun: string }

/** Facts that most streams share; one copy of each saves half of an idle stream's memory. */
const SHARED_MAX = 4096;

/**
 * Folds the records of one partition in offset order: decodes, hands each to the judge with the state of its stream, applies the effects.
 * Nothing here decides: two owners that fold the same records have the same streams.
 */
export class PartitionFold {
  /** Offset after the last record folded. */
  next: number;
  /** Bytes of record values folded since this owner began. */
  bytes = 0;
  /** End of the log as last seen. */
  highWatermark = 0;
  /** The last record folded: by it a later owner knows the log again [OWN-5]. */
  readonly last = { offset: -1, timestamp: 0 };
  private readonly changed = new Set<OpenStream>();
  private readonly shared = new Map<string, unknown>();

  constructor(from: number, private readonly options: FoldOptions) {
    this.next = from;
  }

  /** Records below `next` were folded before and are passed over. */
  async fold(batch: LogBatch): Promise<void> {
    const { topic } = batch;
    for (const record of batch.records) {
      if (record.offset < this.next) continue;
      const decoded = this.isFolded(record) ? null : this.decode(topic, record);
      if (decoded !== null) {
        if (this.needsRecall(record.key, decoded.kind)) await this.options.recall(record.key);
        if (decoded.kind === 'beat') this.foldBeat(decoded, record);
        else this.foldRecord(topic, record, decoded);
      }
      this.next = record.offset + 1;
      this.last.offset = record.offset;
      this.last.timestamp = record.timestamp;
      this.bytes += record.value?.byteLength ?? 0;
    }
    // Compaction and control records leave holes: the batch says where it ends.
    this.next = Math.max(this.next, batch.nextOffset);
    this.highWatermark = Math.max(batch.highWatermark, this.next);
    for (const stream of this.changed) stream.notify();
    this.changed.clear();
  }

  get lag(): number {
    return Math.max(0, this.highWatermark - this.next);
  }

  /** A replay begins at the stream that needs it most; what the others have is passed over without a look inside. */
  private isFolded({ key, offset }: StoredRecord): boolean {
    const known = this.options.table.live.get(key) ?? this.options.table.finished.get(key);
    return known !== undefined && offset <= known.foldedTo;
  }

  private decode(topic: string, record: StoredRecord): LogRecord | null {
    const { deadLetters, partition } = this.options;
    if (record.value === null) {
      deadLetters.put('no-value', topic, partition, record, null);
      return null;
    }
    try {
      // Payloads are views into the value, and values are views into the whole fetch response, which one kept fragment would pin:
      // each value is copied once [KAFKA-10].
      const decoded = decodeRecord(Buffer.from(record.value));
      if ((decoded.kind === 'beat') !== (record.key === BEAT_KEY)) throw new Error(`a ${decoded.kind} record under the key ${record.key.slice(0, 64)}`);
      return decoded;
    } catch (error) {
      deadLetters.put('undecodable', topic, partition, record, error); // [OWN-7]
      return null;
    }
  }

  /**
   * An ended stream that is only a map entry is read back when the record may ask for a verdict or remove it.
   * What can only be refused (late appends) is not worth a read each.
   */
  private needsRecall(streamNo: string, kind: LogRecord['kind']): boolean {
    if (kind !== 'end' && kind !== 'abort' && kind !== 'cancel' && kind !== 'retry' && kind !== 'delete') return false;
    return this.options.table.finished.get(streamNo)?.isDeleted === false;
  }

  private foldRecord(topic: string, record: StoredRecord, decoded: LogRecord): void {
    const { table, partition, crc32, metrics, deadLetters } = this.options;
    const streamNo = record.key;
    const stream = table.live.get(streamNo);
    if (stream === undefined) {
      const finished = table.finished.get(streamNo);
      if (finished !== undefined) {
        if (decoded.kind === 'append') metrics.refused('STREAM_FINAL', decoded.payloads.length);
        return;
      }
      if (parseStreamNo(streamNo)?.partition !== partition) {
        // [NO-2] Nobody of ours writes this: a stream lives in the partition its number names, and nowhere else.
        deadLetters.put('misplaced', topic, partition, record, null);
        return;
      }
    }
    // The judge changes the state it is given.
    const before = { wasFinal: stream?.isFinal ?? false, writerRun: stream?.state.writerRun ?? '' };
    this.settle(stream, judge(stream?.state, streamNo, decoded, record.offset, record.timestamp, crc32), record, before);
  }

  /** One beat renews many leases: the judge is asked for each stream by itself. Ended and unknown ones need no renewal. */
  private foldBeat(beat: BeatRecord, record: StoredRecord): void {
    for (const beating of beat.streams) {
      const stream = this.options.table.live.get(beating.no);
      if (stream === undefined || stream.isFinal || record.offset <= stream.foldedTo) continue;
      const own: BeatRecord = { kind: 'beat', streams: [beating] };
      const { effects } = judge(stream.state, beating.no, own, record.offset, record.timestamp, this.options.crc32);
      for (const effect of effects) this.apply(stream, effect);
    }
  }

  private settle(known: OpenStream | undefined, { state, effects }: Judgement, record: StoredRecord, before: Before): void {
    const { table, onUncovered, onPublic } = this.options;
    const { wasFinal, writerRun } = before;
    const stream = known ?? this.created(state, record);
    if (stream === undefined) {
      for (const effect of effects) this.count(effect);
      return;
    }
    let isPublic = false;
    for (const effect of effects) {
      if (this.apply(stream, effect)) isPublic = true;
    }
    // [JUDGE-11] Who holds the epoch: every ingest tells another run so, instead of acknowledging what the judge refuses.
    if (!isPublic && stream.state.writerRun !== writerRun) {
      isPublic = true;
      onPublic(stream);
    }
    // After the end nothing but a verdict or the removal is worth a checkpoint: late appends must not cause writes.
    if (!wasFinal || isPublic) onUncovered(stream, record.offset, this.bytes);
    if (!wasFinal) stream.index.offer(stream.state);
    if (!wasFinal && stream.isFinal) table.becameFinal();
  }

  private created(state: StreamState | undefined, record: StoredRecord): OpenStream | undefined {
    if (state === undefined) return undefined;
    const { open } = state;
    state.open = {
      ...open,
      channel: this.sharedOf(`channel ${open.channel}`, open.channel),
      contentType: this.sharedOf(`type ${open.contentType}`, open.contentType),
      limits: this.sharedOf(`limits ${JSON.stringify(open.limits)}`, open.limits),
      metadata: Object.keys(open.metadata).length === 0 ? this.sharedOf('metadata', open.metadata) : open.metadata,
    };
    const stream = new OpenStream(record.key, this.options.partition, state, new PositionIndex(), -1, this.options.makeView);
    this.options.table.add(stream);
    this.options.onOpened(stream);
    return stream;
  }

  /** @returns whether everyone is to be told */
  private apply(stream: OpenStream, effect: Effect): boolean {
    switch (effect.kind) {
      case 'fragments':
        this.changed.add(stream);
        this.options.metrics.accepted(effect.payloads.length);
        stream.view.append(effect.epoch, effect.lane, effect.firstSequence, effect.payloads);
        return false;
      case 'duplicate':
      case 'refused':
        this.count(effect);
        return false;
      case 'attempt':
        if (effect.keep === 'none') stream.view.rewind(effect.epoch);
        break;
      case 'verdict':
        stream.addVerdict(effect.verdict);
        break;
      case 'deleted':
        stream.dispose();
        break;
      default: // opened, lost, resumed, final: shown from the state
    }
    this.changed.add(stream);
    this.options.onPublic(stream);
    return true;
  }

  private count(effect: Effect): void {
    if (effect.kind === 'duplicate') this.options.metrics.duplicates(effect.fragments);
    else if (effect.kind === 'refused') this.options.metrics.refused(effect.code, Math.max(1, effect.fragments));
  }

  private sharedOf<T>(key: string, value: T): T {
    const known = this.shared.get(key);
    if (known !== undefined) return known as T;
    if (this.shared.size >= SHARED_MAX) this.shared.clear();
    this.shared.set(key, value);
    return value;
  }
}
