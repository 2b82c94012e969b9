import { decodeLifecycle, PositionIndex, StreamError } from '@rivulet/protocol';
import type { FinishedStream } from './finished-stream';
import { OpenStream } from './open-stream';
import type { OwnerContext } from './owner-context';
import { bareStateOf } from './restored-state';
import type { StreamTable } from './stream-table';
import { recordAt } from './log-place';
import { sleep } from './time';

const AGAIN_MS = 200;

/** Brings ended streams back into memory: their lifecycle value is read by its offset, once for all who ask at the same time. */
export class FinishedReader {
  private readonly reading = new Map<string, Promise<OpenStream | undefined>>();

  constructor(
    private readonly context: OwnerContext,
    private readonly partition: number,
    private readonly table: StreamTable,
    private readonly isOver: () => boolean,
  ) {}

  /** @returns the stream, in memory already or again; undefined when unknown or deleted. @throws StreamError LOG_UNAVAILABLE */
  find(streamNo: string): Promise<OpenStream | undefined> {
    const live = this.table.live.get(streamNo);
    if (live !== undefined) return Promise.resolve(live);
    const finished = this.table.finished.get(streamNo);
    if (finished === undefined || finished.isDeleted) return Promise.resolve(undefined);
    let reading = this.reading.get(streamNo);
    if (reading === undefined) {
      reading = this.read(streamNo, finished).finally(() => this.reading.delete(streamNo));
      this.reading.set(streamNo, reading);
    }
    return reading;
  }

  /** The same for the fold, which cannot go on without: it waits until the log answers, or until the owner is over. */
  async findPatiently(streamNo: string): Promise<OpenStream | undefined> {
    while (!this.isOver()) {
      try {
        return await this.find(streamNo);
      } catch (error) {
        if (!(error instanceof StreamError)) throw error;
        this.context.logger.warn({ partition: this.partition, streamNo, err: error }, 'the lifecycle value of a stream cannot be read now');
        await sleep(this.context.time, AGAIN_MS);
      }
    }
    return undefined;
  }

  private async read(streamNo: string, finished: FinishedStream): Promise<OpenStream | undefined> {
    const { log, topics, logger, makeView } = this.context;
    const place = { log, topic: topics.lifecycle, partition: this.partition };
    const record = await recordAt(place, finished.lifecycleOffset);
    if (this.isOver()) return undefined;
    if (record === undefined && (await log.bounds(place.topic, place.partition)).start <= finished.lifecycleOffset) {
      // After a change of leader what can be read lags behind: no reason to say that there is no such stream, nor to pass a record over.
      throw new StreamError('LOG_UNAVAILABLE', { detail: 'The log does not show the end of the stream yet.', streamNo, retryAfterMs: AGAIN_MS });
    }
    if (this.isOver()) return undefined;
    if (!record || record.key !== streamNo || record.value === null) {
      const facts = { partition: this.partition, streamNo, offset: finished.lifecycleOffset };
      logger.error(facts, 'the lifecycle value of an ended stream is not where it was');
      return undefined;
    }
    const value = decodeLifecycle(record.value);
    const index = new PositionIndex(value.positions);
    const stream = new OpenStream(streamNo, this.partition, bareStateOf(value), index, finished.foldedTo, makeView);
    stream.verdicts = value.verdicts;
    stream.lifecycleOffset = finished.lifecycleOffset;
    this.table.recall(stream);
    return stream;
  }
}
