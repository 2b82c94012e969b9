import { metadataProblem, StreamError } from '@rivulet/protocol';
import type { ErrorCode } from '@rivulet/protocol';
import { z } from 'zod';

/** A typed value, or the place and the fault of the first thing that is wrong. For calls that are rare; appends have their own parser. */
export function parseShape<S extends z.ZodType>(shape: S, value: unknown, code: ErrorCode): z.output<S> {
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data as z.output<S>;
  const issue = parsed.error.issues[0];
  const place = issue?.path.join('.') ?? '';
  throw new StreamError(code, { detail: `${place === '' ? 'The body' : place}: ${issue?.message ?? 'is not as documented'}.`, ...(place === '' ? {} : { place }) });
}

/** What the codec would not read back must not reach the log: the record of an acknowledged `end` would be a dead letter [OWN-7]. */
const metadata = z.record(z.string(), z.unknown()).superRefine((value, context) => {
  const problem = metadataProblem(value);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});
const uint32 = z.number().int().min(0).max(0xffffffff);

export const endShape = z.strictObject({
  lastSeq: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
  checksum: uint32.optional(),
  digest: z.string().regex(/^[0-9a-f]{64}$/, 'is not a SHA-256 in lower-case hex').optional(),
  metadata: metadata.optional(),
});
export const abortShape = z.strictObject({ code: z.string().min(1).max(64), message: z.string().max(1024).optional() });
export const cancelShape = z.strictObject({ reason: z.string().max(1024).optional() });
export const retryShape = z.strictObject({
  attemptId: z.string().min(1).max(64),
  keep: z.enum(['all', 'none']).optional(),
  reason: z.string().max(1024).optional(),
});
