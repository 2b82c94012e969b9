import { rivulet } from './generated/log';
import { metadataJson, parseMetadata } from './metadata';
import type {
  AppendRecord, EndRecord, Limits, LogRecord, Merge, OpenRecord, StreamClass,
} from './records';
import { safeNumber } from './wide';
import type { Wide } from './wide';

/**
 * LogRecord ⇄ Protobuf bytes, after proto/log.proto. Measured well above 2 million fragments/s packed with the plain generated
 * code, so nothing is hand-written; what this file adds is the conversion to our types and the refusal of what they cannot hold.
 */
interface LimitsMessage extends Omit<Limits, 'streamBytesMax'> { streamBytesMax: Wide }
interface OpenMessage {
  channel: string; contentType: string; merge: string; class: string; leaseMs: number; ttlMs: Wide; retentionMs: Wide;
  limits?: LimitsMessage | null; judgeVersion: number; metadataJson: string; openedBy?: string;
}
interface AppendMessage {
  epoch: number; firstSeq: Wide; writer: string; n: Wide; writerRun: string; lane: string; payloads: Uint8Array[];
}
interface RetryMessage { epoch: number; attemptId: string; keepNone: boolean; reason: string }
interface EndMessage {
  epoch: number; lastSeq?: Wide | null; checksum?: number | null; digest: string; metadataJson: string; writerRun?: string;
}
interface Message {
  body?: string;
  open?: OpenMessage | null;
  append?: AppendMessage | null;
  retry?: RetryMessage | null;
  end?: EndMessage | null;
  abort?: { epoch: number; code: string; message: string; writerRun?: string } | null;
  cancel?: { by: string; reason: string } | null;
  beat?: { streams: { no: string; epoch: number }[] } | null;
  lapse?: { epoch: number; activityOffset: Wide } | null;
  gap?: { epoch: number; next: Wide } | null;
  expire?: object | null;
  delete?: object | null;
}
interface MessageType {
  encode(message: Message): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Message;
}
const WireRecord = (rivulet as unknown as { v1: { LogRecord: MessageType } }).v1.LogRecord;

/** @returns the bytes of the record's Kafka value; a Buffer in Node. */
export function encodeRecord(record: LogRecord): Uint8Array {
  return WireRecord.encode(messageOf(record)).finish();
}

function messageOf(record: LogRecord): Message {
  // The generated encoder reads only the fields it knows, so a record goes in as it is wherever names and types agree.
  switch (record.kind) {
    case 'append': return { append: record };
    case 'open': return { open: { ...record, metadataJson: metadataJson(record.metadata) } };
    case 'end': return { end: { ...record, metadataJson: metadataJson(record.metadata) } };
    case 'retry': return { retry: { ...record, keepNone: record.keep === 'none' } };
    case 'abort': return { abort: record };
    case 'cancel': return { cancel: record };
    case 'beat': return { beat: record };
    case 'lapse': return { lapse: record };
    case 'gap': return { gap: record };
    case 'expire': return { expire: record };
    case 'delete': return { delete: record };
  }
}

/**
 * @param bytes value of a record of the topic `fragments`; payloads of the result are views into it
 * @throws Error when the bytes are not a LogRecord this version can judge: it goes to the dead letters [OWN-7]
 */
export function decodeRecord(bytes: Uint8Array): LogRecord {
  const message = WireRecord.decode(bytes);
  if (message.append) return appendOf(message.append);
  switch (message.body) {
    case 'open': return openOf(message.open!);
    case 'end': return endOf(message.end!);
    case 'retry': {
      const { epoch, attemptId, keepNone, reason } = message.retry!;
      return { kind: 'retry', epoch, attemptId, keep: keepNone ? 'none' : 'all', reason };
    }
    case 'abort': {
      const { epoch, code, message: text, writerRun } = message.abort!;
      return { kind: 'abort', epoch, code, message: text, ...(writerRun ? { writerRun } : {}) };
    }
    case 'cancel': return { kind: 'cancel', by: message.cancel!.by, reason: message.cancel!.reason };
    case 'beat': return { kind: 'beat', streams: message.beat!.streams.map(({ no, epoch }) => ({ no, epoch })) };
    case 'lapse': {
      const { epoch, activityOffset } = message.lapse!;
      return { kind: 'lapse', epoch, activityOffset: safeNumber(activityOffset, 'activity_offset') };
    }
    case 'gap': return { kind: 'gap', epoch: message.gap!.epoch, next: safeNumber(message.gap!.next, 'next') };
    case 'expire': return { kind: 'expire' };
    case 'delete': return { kind: 'delete' };
    default: throw new Error('A LogRecord without a body this version knows.');
  }
}

function appendOf(append: AppendMessage): AppendRecord {
  return {
    kind: 'append',
    epoch: append.epoch,
    firstSeq: safeNumber(append.firstSeq, 'first_seq'),
    writer: append.writer,
    n: safeNumber(append.n, 'n'),
    writerRun: append.writerRun,
    lane: append.lane,
    payloads: append.payloads,
  };
}

function openOf(open: OpenMessage): OpenRecord {
  const { limits } = open;
  if (!limits) throw new Error('An open without limits.');
  return {
    kind: 'open',
    channel: open.channel,
    contentType: open.contentType,
    merge: oneOf<Merge>(open.merge, ['text', 'bytes', 'json', 'latest'], 'merge'),
    class: oneOf<StreamClass>(open.class, ['interactive', 'bulk'], 'class'),
    leaseMs: open.leaseMs,
    ttlMs: safeNumber(open.ttlMs, 'ttl_ms'),
    retentionMs: safeNumber(open.retentionMs, 'retention_ms'),
    limits: {
      heldFragmentsMax: limits.heldFragmentsMax,
      heldBytesMax: limits.heldBytesMax,
      gapMsMax: limits.gapMsMax,
      attemptsMax: limits.attemptsMax,
      fragmentBytesMax: limits.fragmentBytesMax,
      streamBytesMax: safeNumber(limits.streamBytesMax, 'stream_bytes_max'),
    },
    judgeVersion: open.judgeVersion,
    metadata: parseMetadata(open.metadataJson),
    // Absent, not empty: an old record folds to the very state it always did.
    ...(open.openedBy ? { openedBy: open.openedBy } : {}),
  };
}

function endOf(end: EndMessage): EndRecord {
  return {
    kind: 'end',
    epoch: end.epoch,
    lastSeq: end.lastSeq === null || end.lastSeq === undefined ? null : safeNumber(end.lastSeq, 'last_seq'),
    checksum: end.checksum ?? null,
    digest: end.digest,
    metadata: parseMetadata(end.metadataJson),
    ...(end.writerRun ? { writerRun: end.writerRun } : {}),
  };
}

function oneOf<T extends string>(value: string, known: readonly T[], field: string): T {
  if (!known.includes(value as T)) throw new Error(`Unknown ${field} ${JSON.stringify(value.slice(0, 40))}.`);
  return value as T;
}
