import { decodeRecord, topicNames } from '@rivulet/protocol';
import { openKafkaLog } from '@rivulet/log';
import type { LoggedRecord } from './naive-judge';

/** Gives what the log holds of some streams, partition by partition, from the beginning: the truth the history checker compares with. */
export async function scanFragments(
  brokers: string, topicPrefix: string, wanted: ReadonlySet<string>, take: (record: LoggedRecord) => void,
): Promise<void> {
  const log = await openKafkaLog({ brokers: brokers.split(','), clientId: 'history' });
  const { fragments } = topicNames(topicPrefix);
  try {
    for (let partition = 0; partition < await log.partitions(fragments); partition++) {
      const { start, end } = await log.bounds(fragments, partition);
      for (let from = start; from < end;) {
        const batch = await log.scan(fragments, partition, from);
        for (const { key, value, offset, timestamp } of batch.records) {
          if (wanted.has(key) && value) take({ key, offset, timestamp, record: decodeRecord(Buffer.from(value)) });
        }
        from = batch.nextOffset;
      }
    }
  } finally {
    await log.close();
  }
}

/** The same as a list. */
export async function readFragments(brokers: string, topicPrefix: string, streamNos: string[]): Promise<LoggedRecord[]> {
  const records: LoggedRecord[] = [];
  await scanFragments(brokers, topicPrefix, new Set(streamNos), (record) => records.push(record));
  return records;
}
