import { decodeRecord, topicNames } from '@rivulet/protocol';
import { openKafkaLog } from '@rivulet/log';
import type { LoggedRecord } from './history';

/** Reads what the log holds of some streams, all partitions, from the beginning: the truth the history checker compares with. */
export async function readFragments(brokers: string, topicPrefix: string, streamNos: string[]): Promise<LoggedRecord[]> {
  const log = await openKafkaLog({ brokers: brokers.split(','), clientId: 'history' });
  const wanted = new Set(streamNos);
  const { fragments } = topicNames(topicPrefix);
  const records: LoggedRecord[] = [];
  try {
    for (let partition = 0; partition < await log.partitions(fragments); partition++) {
      const { start, end } = await log.bounds(fragments, partition);
      for (let from = start; from < end;) {
        const batch = await log.scan(fragments, partition, from);
        for (const { key, value, offset } of batch.records) {
          if (wanted.has(key) && value) records.push({ key, offset, record: decodeRecord(Buffer.from(value)) });
        }
        from = batch.nextOffset;
      }
    }
    return records;
  } finally {
    await log.close();
  }
}
