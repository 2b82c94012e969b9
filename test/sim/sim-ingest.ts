import { BEAT_KEY, encodeRecord } from '@rivulet/protocol';
import type { LogRecord } from '@rivulet/protocol';
import type { Appender } from '@rivulet/log';
import { FragmentAppender } from '../../apps/ingest/src/fragment-appender';
import { RecordWriter } from '../../apps/allocator/src/record-writer';
import type { SimBroker } from './sim-broker';
import { SimLog } from './sim-log';
import type { SimLogOptions } from './sim-log';
import { SimProcess } from './virtual-loop';

export interface IngestOptions { log: SimLogOptions; deadlineMs: number; batchEntriesMax: number; queueBytesMax: number }

/** An ingest and the allocator beside it: everything that producers write goes through here. One object is one start of the process. */
export class SimIngest {
  readonly process: SimProcess;
  readonly log: SimLog;
  readonly appender: FragmentAppender;
  readonly writer: RecordWriter;
  private readonly beats: Appender<LogRecord>;
  private readonly deaths: (() => void)[] = [];

  constructor(readonly name: string, broker: SimBroker, readonly options: IngestOptions) {
    this.process = new SimProcess(name);
    this.log = new SimLog(broker, this.process, options.log);
    const { deadlineMs, batchEntriesMax, queueBytesMax } = options;
    const topic = broker.names.fragments;
    const limits = { queueBytesMax, batchBytesMax: 64 * 1024, deadlineMs };
    // Partition 0 is of class interactive, the others bulk.
    this.appender = new FragmentAppender(this.log, { ...limits, topic, batchEntriesMax, partitionsInteractive: 1, writer: name });
    this.writer = new RecordWriter(this.log, topic, { queueBytesMax, writeMsMax: deadlineMs });
    const encode = (records: LogRecord[]) => records.map((record) => ({ key: BEAT_KEY, value: encodeRecord(record), entries: 1 }));
    this.beats = this.log.appender<LogRecord>({ ...limits, topic, class: 'control', encode, batchEntriesMax: 10 });
  }

  /** [APPEND-7] One record renews many leases. */
  beat(partition: number, streams: { no: string; epoch: number }[]): void {
    if (this.process.isDead || streams.length === 0) return;
    this.beats.append(partition, { kind: 'beat', streams }, 100).catch(() => undefined);
  }

  /** Who is connected learns that it has died. */
  onDeath(listener: () => void): void {
    this.deaths.push(listener);
  }

  die(): void {
    for (const listener of this.deaths.splice(0)) listener();
  }
}
