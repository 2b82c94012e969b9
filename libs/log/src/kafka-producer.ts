import { CompressionTypes, KafkaJSError } from 'kafkajs';
import type { Message, Producer, RecordMetadata } from 'kafkajs';
import type { KafkaClient } from './kafka-client';
import { RETRY } from './kafka-client';
import { withDeadline } from './deadline';
import type { RecordToAppend } from './log';
import { PermanentSendError } from './partition-batcher';
import type { SendBatches } from './partition-batcher';

export type Compression = 'none' | 'gzip' | 'lz4';
const CODECS = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, lz4: CompressionTypes.LZ4 } as const;
const DISCONNECT_MS_MAX = 2000;
/**
 * One, for the metadata that MetadataStale or a moved leader has refreshed. More would only hold a request slot of the batcher, for a whole
 * time-out each, while a broker hangs; the batcher sends again anyway.
 */
const RETRIES = 1;

/**
 * A plain producer, acks=all. No idempotence: kafkajs rolls its sequence numbers back on a lost response, so that of two concurrent sends
 * both resolve and one is not in the log (kafkajs #1005, #598). What a resend doubles the judge drops [KAFKA-1] [KAFKA-2].
 */
export class KafkaProducer {
  private readonly producer: Producer;
  private connecting: Promise<void> | null = null;
  private isMetadataSuspect = false;

  constructor(private readonly client: KafkaClient, private readonly compression: Compression) {
    this.producer = client.kafka.producer({
      idempotent: false,
      allowAutoTopicCreation: false,
      retry: { ...RETRY, retries: RETRIES },
      createPartitioner: () => ({ topic, message, partitionMetadata }) => this.choose(topic, message.partition, partitionMetadata),
    });
    // A connection that hangs is cut, or every retry would be written into it (kafkajs #919, #1783).
    this.producer.on('producer.network.request_timeout', () => client.dropConnections('A request timed out.'));
  }

  /** @returns a way to send batches of a topic, for a PartitionBatcher */
  sendTo(topic: string): SendBatches {
    return (batches) => this.send(topic, batches);
  }

  async close(): Promise<void> {
    // Bounded: kafkajs waits for answers a hanging broker will never give (kafkajs #918).
    await withDeadline(this.producer.disconnect(), DISCONNECT_MS_MAX, 'Disconnecting').catch(() => undefined);
    this.client.close();
  }

  private async send(topic: string, batches: ReadonlyMap<number, readonly RecordToAppend[]>): Promise<Map<number, number>> {
    await this.connect();
    const messages: Message[] = [];
    for (const [partition, records] of batches) {
      // Buffer keys, and headers only where they are asked for: strings and headers cost 2–3 µs each [KAFKA-8].
      for (const { key, value, headers } of records) {
        messages.push({ partition, key: Buffer.from(key), value: value && asBuffer(value), ...(headers && { headers }) });
      }
    }
    let answer: RecordMetadata[];
    try {
      answer = await this.producer.sendBatch({
        acks: -1,
        // The broker gives up before we do, so that its answer, not our time-out, says what happened.
        timeout: Math.max(500, this.client.requestTimeoutMs - 1000),
        compression: CODECS[this.compression],
        topicMessages: [{ topic, messages }],
      });
    } catch (error) {
      throw isPermanent(error) ? new PermanentSendError(messageOf(error), { cause: error }) : error;
    }
    const acknowledged = acknowledgedOffsets(answer, batches);
    this.isMetadataSuspect = acknowledged.size < batches.size;
    return acknowledged;
  }

  private connect(): Promise<void> {
    this.connecting ??= this.producer.connect().catch((error) => {
      this.connecting = null;
      throw error;
    });
    return this.connecting;
  }

  /**
   * Called by kafkajs for each message. It leaves out, without an error, what goes to a partition its metadata does not list; the error
   * here is the one on which it refreshes the metadata and tries again [KAFKA-3].
   */
  private choose(topic: string, partition: number | undefined, known: { partitionId: number }[]): number {
    if (this.isMetadataSuspect || !known.some((metadata) => metadata.partitionId === partition)) {
      this.isMetadataSuspect = false;
      throw new MetadataStale(`Partition ${partition} of ${topic} may have moved or may be new.`);
    }
    return partition!;
  }
}

/** kafkajs refreshes metadata by the name of the error. */
class MetadataStale extends KafkaJSError {
  override readonly name = 'KafkaJSMetadataNotLoaded';

  constructor(message: string) {
    super(message, { retriable: true });
  }
}

/**
 * A resolved send is not an acknowledgement: kafkajs resolves although a partition was never sent, when its metadata lacks the partition
 * or when the leader moved to a broker that had already answered ([KAFKA-3]; what kafkajs #1303 looks like from outside).
 * @returns base offsets of the partitions Kafka confirmed, one by one; what is missing was not acknowledged
 */
export function acknowledgedOffsets(answer: readonly RecordMetadata[], sent: ReadonlyMap<number, unknown>): Map<number, number> {
  const offsets = new Map<number, number>();
  for (const { partition, errorCode, baseOffset } of answer) {
    const offset = Number(baseOffset ?? -1);
    if (sent.has(partition) && errorCode === 0 && Number.isSafeInteger(offset) && offset >= 0) offsets.set(partition, offset);
  }
  return offsets;
}

/** Kafka refuses these however often they are sent. Everything else may pass, and is tried until the deadline. */
const PERMANENT = new Set([
  'MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'INVALID_TIMESTAMP', 'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  'UNSUPPORTED_COMPRESSION_TYPE', 'TOPIC_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED', 'INVALID_REQUIRED_ACKS',
]);

function isPermanent(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (PERMANENT.has((at as { type?: string }).type ?? '')) return true;
  return false;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
