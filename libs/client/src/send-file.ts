import { StreamError } from '@rivulet/protocol';
import type { OpenOptions, StreamSummary } from '@rivulet/protocol';
import { SeenContent, blobSource } from './files';
import type { FileSource } from './files';
import { files } from './files-node';
import { platform } from './platform-node';
import type { RunningDigest } from './platform';
import type { Producer, ProducerOptions } from './producer';
import { sendAll } from './send';
import type { Sent } from './send';

export interface FileProgress {
  /** Durable (sending) or written (receiving). */
  bytes: number;
  /** null: not known yet. */
  totalBytes: number | null;
}
export interface SendFileOptions extends Omit<OpenOptions, 'merge'>, ProducerOptions {
  /** Default: that of the path or File. */
  fileName?: string;
  /** A streamNo an earlier sendFile of the same file got: goes on after what is accepted. */
  resume?: string;
  idempotencyKey?: string;
  /** Stops sending. The stream stays as it is, to be resumed; `cancel` ends it. */
  signal?: AbortSignal;
  /** As soon as the stream is there: keep the streamNo, it is what a later `resume` needs. */
  onOpen?(stream: { streamNo: string; readToken: string | undefined }): void;
  onProgress?(progress: FileProgress): void;
}

/** What sending a file needs of the client. */
export interface FileSender {
  open(options: OpenOptions, producer: ProducerOptions & { idempotencyKey?: string }): Promise<Producer>;
  retry(streamNo: string, options: ProducerOptions & { digest: RunningDigest; reason: string }): Promise<Producer>;
  state(streamNo: string): Promise<StreamSummary>;
}

/** Fragments of 256 KiB, a POST each: enough of them under way to fill the round trips, within the 4 MiB a stream may hold. */
const IN_FLIGHT = 6;

/** @see Rivulet.sendFile */
export async function sendFile(client: FileSender, file: string | Blob, options: SendFileOptions): Promise<Sent> {
  const source = typeof file === 'string' ? await files.openSource(file) : blobSource(file);
  try {
    const begun = options.resume === undefined ? await begin(client, source, options) : await goOn(client, source, options.resume, options);
    if (!('write' in begun)) return begun;
    const { signal, onOpen } = options;
    return await sendAll(begun, () => pieces(begun, source, options), { signal, onOpen }, 'leave');
  } finally {
    await source.close();
  }
}

function begin(client: FileSender, source: FileSource, options: SendFileOptions): Promise<Producer> {
  const { channel, leaseMs, ttlMs, retentionMs, limits, fileName = source.name } = options;
  const contentType = options.contentType ?? (source.contentType === '' ? 'application/octet-stream' : source.contentType);
  const metadata = { fileName, sizeBytes: source.sizeBytes, contentType, ...options.metadata };
  const open = { channel, contentType, merge: 'bytes', class: options.class ?? 'bulk', leaseMs, ttlMs, retentionMs, limits, metadata } as const;
  return client.open(open, { ...producing(options), idempotencyKey: options.idempotencyKey });
}

const producing = ({ windowFragmentsMax, inFlightMax = IN_FLIGHT, giveUpMs }: SendFileOptions): ProducerOptions =>
  ({ windowFragmentsMax, inFlightMax, ...(giveUpMs === undefined ? {} : { giveUpMs }) });

/** @returns the producer of a new attempt, or the verdict of a stream that has the whole file already */
async function goOn(client: FileSender, source: FileSource, streamNo: string, options: SendFileOptions): Promise<Producer | Sent> {
  const digest = platform.createDigest();
  let producer: Producer;
  try {
    producer = await client.retry(streamNo, { ...producing(options), digest, reason: 'resume' });
  } catch (error) {
    if (error instanceof StreamError && error.code === 'STREAM_FINAL') return ended(client, source, streamNo, error);
    throw error;
  }
  try {
    const { bytes, checksum } = producer.kept;
    const start = await contentOf(source, bytes, digest);
    if (start.bytes !== bytes || start.checksum !== checksum) throw otherFile(streamNo);
    return producer;
  } catch (error) {
    producer.release();
    throw error;
  }
}

async function ended(client: FileSender, source: FileSource, streamNo: string, error: StreamError): Promise<Sent> {
  const { final, bytes, checksum, sequence } = await client.state(streamNo);
  if (final?.status !== 'ended') throw error;
  const whole = await contentOf(source, source.sizeBytes);
  if (whole.bytes !== bytes || whole.checksum !== checksum) throw otherFile(streamNo);
  return { streamNo, verdict: { streamNo, status: 'ended', sequence, bytes, checksum } };
}

async function contentOf(source: FileSource, bytes: number, digest?: RunningDigest): Promise<{ bytes: number; checksum: number }> {
  const seen = new SeenContent();
  for await (const piece of source.read(0, bytes)) {
    seen.add(piece);
    digest?.update(piece);
  }
  return seen;
}

async function* pieces(producer: Producer, source: FileSource, { onProgress }: SendFileOptions): AsyncGenerator<Uint8Array> {
  const { sizeBytes } = source;
  let at = producer.kept.bytes;
  const tell = (): void => onProgress?.({ bytes: producer.acknowledgedBytes, totalBytes: sizeBytes });
  for await (const piece of source.read(at, sizeBytes)) {
    tell();
    yield piece;
    at += piece.length;
  }
  if (at !== sizeBytes) throw new StreamError('BODY_INVALID', { detail: `The file has ${at} bytes now; it had ${sizeBytes} when sending began.` });
  await producer.flush();
  tell();
}

const otherFile = (streamNo: string): StreamError => new StreamError('CHECKSUM_MISMATCH', {
  streamNo, detail: 'This is not the file that was begun under this streamNo. Send it without resume.',
});
