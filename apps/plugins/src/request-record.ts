import { z } from 'zod';

const shape = z.object({
  streamNo: z.string().min(1).max(64), plugin: z.string().min(1).max(64), channel: z.string().max(1_024), input: z.unknown(),
  /** The stream it answers, when it is bound. */
  inReplyTo: z.string().max(64).optional(),
  /** Key id of who asked. */
  by: z.string().max(256), at: z.number(),
});

/** Value of the topic `rivulet.requests`, JSON, key streamNo; a tombstone once the stream is final and the plugin was told. */
export interface RequestRecord {
  streamNo: string; plugin: string; channel: string; input?: unknown; inReplyTo?: string | undefined; by: string; at: number;
}

export const encodeRequest = (request: RequestRecord): Buffer => Buffer.from(JSON.stringify(request));

/** @throws Error when it is none */
export function decodeRequest(value: Buffer): RequestRecord {
  return shape.parse(JSON.parse(value.toString('utf8')));
}
