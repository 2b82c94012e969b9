import { encodeRecord } from '@rivulet/protocol';
import type { LogRecord } from '@rivulet/protocol';
import type { Appender, Log } from '@rivulet/log';

/** A record an owner proposes about a stream: `lapse`, `gap`, `expire`, `delete`. */
export interface Proposal { streamNo: string; record: LogRecord }

/** Size of a proposal on the wire, about; they are all a few bytes. */
export const PROPOSAL_BYTES = 80;

/** Writes what clocks propose into the log, apart from the producers' appends so that neither waits for the other. */
export function controlAppender(log: Log, topic: string, deadlineMs: number): Appender<Proposal> {
  return log.appender<Proposal>({
    topic,
    class: 'control',
    encode: (proposals) => proposals.map(({ streamNo, record }) => ({ key: streamNo, value: encodeRecord(record), entries: 1 })),
    queueBytesMax: 1024 * 1024,
    batchBytesMax: 256 * 1024,
    batchEntriesMax: 1000,
    deadlineMs,
  });
}
