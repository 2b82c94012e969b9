import { Encoder, produceResponse, PRODUCE_VERSION } from './kafka-internals';
import type { ProtocolRequest } from './kafka-internals';

const PRODUCE = { apiKey: 0, apiVersion: PRODUCE_VERSION, apiName: 'Produce' };
const ALL_IN_SYNC = -1;
/** What stands before the batch of each partition, and room for the head of the request, bytes. */
const PARTITION_BYTES = 8;
const HEAD_BYTES = 512;

/**
 * @param sets the record batch of each partition
 * @param timeoutMs how long the broker waits for its replicas
 */
export function buildProduce(topic: string, sets: readonly [partition: number, batch: Buffer][], timeoutMs: number): ProtocolRequest {
  const size = sets.reduce((sum, [, batch]) => sum + PARTITION_BYTES + batch.length, HEAD_BYTES);
  const encode = async (): Promise<unknown> => {
    // As large as it will be, so that it is not copied while it grows.
    const encoder = new Encoder(size).writeString(null).writeInt16(ALL_IN_SYNC).writeInt32(timeoutMs)
      .writeInt32(1).writeString(topic).writeInt32(sets.length);
    for (const [partition, batch] of sets) encoder.writeInt32(partition).writeBytes(batch);
    return encoder;
  };
  return { request: { ...PRODUCE, encode }, response: produceResponse };
}
