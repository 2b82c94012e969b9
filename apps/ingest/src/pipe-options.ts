import { z } from 'zod';
import type { OpenOptions } from '@rivulet/protocol';
import { parseShape } from './parse-shape';

export interface PipeOptions {
  open: OpenOptions & { contentType: string; merge: 'text' | 'bytes' };
  /** 0: every network read is a fragment [APPEND-10]. */
  intervalMs: number;
  /** SHA-256 the whole input must have, lower-case hex; '' when not given. */
  digest: string;
}

const INTERVAL_MS_MAX = 10_000;
const whole = z.string().regex(/^\d{1,15}$/, 'is not a whole number').transform(Number);
const queryShape = z.strictObject({
  channel: z.string().optional(),
  contentType: z.string().optional(),
  class: z.enum(['interactive', 'bulk']).optional(),
  intervalMs: whole.pipe(z.number().max(INTERVAL_MS_MAX)).optional(),
  ttlMs: whole.optional(),
  retentionMs: whole.optional(),
  digest: z.string().regex(/^(sha-?256[=:])?[0-9a-fA-F]{64}$/, 'is not a SHA-256 in hex').optional(),
});

/** What curl calls a body it knows nothing about. */
const FORM = 'application/x-www-form-urlencoded';

/**
 * @param header Content-Type of the request: counts when the query has none, unless it is curl's default
 * @param leaseMs [APPEND-7] a raw pipe has no heartbeats, so its lease is as long as it may be silent
 * @param sizeBytes Content-Length of the body, if it has one: told to readers, who may show how much of it has come
 * @throws StreamError OPTIONS_INVALID
 */
export function pipeOptions(query: unknown, header: string | undefined, leaseMs: number, sizeBytes?: number): PipeOptions {
  const { intervalMs = 0, digest = '', contentType, ...rest } = parseShape(queryShape, query ?? {}, 'OPTIONS_INVALID');
  const given = header === undefined || header.startsWith(FORM) ? undefined : header;
  const type = contentType ?? given ?? 'text/plain; charset=utf-8';
  // The network cuts where it likes, so only text and bytes can be piped; a JSON file is bytes with a name.
  const merge = /^text\//i.test(type) ? 'text' : 'bytes';
  const metadata = sizeBytes === undefined ? undefined : { sizeBytes };
  return { open: { ...rest, contentType: type, merge, leaseMs, metadata }, intervalMs, digest: digest.slice(-64).toLowerCase() };
}
