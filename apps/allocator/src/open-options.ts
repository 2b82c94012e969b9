import { z } from 'zod';
import { metadataProblem, StreamError } from '@rivulet/protocol';
import type { Limits, Merge, OpenFacts } from '@rivulet/protocol';
import { TOPIC_RETENTION_MS } from './config';
import type { AllocatorConfig } from './config';

const CONTENT_TYPE_DEFAULT = 'text/plain; charset=utf-8';
const LEASE_MS_MIN = 1_000;
const TTL_MS_MIN = 1_000;

const whole = (min: number, max: number) => {
  const range = `must be a whole number from ${min} to ${max}`;
  return z.number({ message: range }).int(range).min(min, range).max(max, range).optional();
};
const oneOf = <const C extends readonly [string, ...string[]]>(choices: C) => z.enum(choices, { message: `must be one of ${choices.join(', ')}` }).optional();
const matching = (pattern: RegExp, rule: string) => z.string({ message: rule }).regex(pattern, rule).optional();

/** Open options as they come from outside → the facts of an `open` record, every limit filled in [JUDGE-10]. */
export class OpenOptionsReader {
  private readonly shape;

  constructor(private readonly config: AllocatorConfig) {
    const limits = z.object({
      heldFragmentsMax: whole(1, config.heldFragmentsMax), heldBytesMax: whole(1, config.heldBytesMax), gapMsMax: whole(1, config.gapMsMax),
      attemptsMax: whole(1, config.attemptsMax), fragmentBytesMax: whole(1, config.fragmentBytesMax),
      // Where the operator set a limit, "none" (0) may not be asked for.
      streamBytesMax: config.streamBytesMax === 0 ? whole(0, Number.MAX_SAFE_INTEGER) : whole(1, config.streamBytesMax),
    }).strict();
    this.shape = z.object({
      channel: matching(/^[\w.~:@-]{1,128}$/, 'must be 1 to 128 of a-z A-Z 0-9 _ . ~ : @ -'),
      contentType: matching(/^[\w!#$&^.+-]{1,100}\/[\w!#$&^.+-]{1,100}(\s*;[\x20-\x7e]{1,100})?$/, 'must be a media type such as text/plain; charset=utf-8'),
      merge: oneOf(['text', 'bytes', 'json', 'latest']), class: oneOf(['interactive', 'bulk']),
      leaseMs: whole(LEASE_MS_MIN, config.leaseMsMax), ttlMs: whole(TTL_MS_MIN, TOPIC_RETENTION_MS),
      retentionMs: whole(0, TOPIC_RETENTION_MS),
      limits: limits.optional(),
      metadata: z.record(z.unknown(), { message: 'must be a JSON object' }).optional(),
    }).strict();
  }

  /** @throws StreamError OPTIONS_INVALID naming the option and its range */
  read(options: unknown): OpenFacts {
    const parsed = this.shape.safeParse(options ?? {});
    if (!parsed.success) throw problemOfIssue(parsed.error.issues[0]);
    const { config } = this;
    const given = parsed.data;
    const contentType = given.contentType ?? CONTENT_TYPE_DEFAULT;
    const { limits, ttlMs = config.ttlMs, retentionMs = config.retentionMs, metadata = {} } = given;
    // [OWN-4] A stream must be over before its first record leaves the topic.
    if (ttlMs + retentionMs > TOPIC_RETENTION_MS) throw invalid('ttlMs', `and retentionMs together must be at most ${TOPIC_RETENTION_MS} ms, the retention of the log`);
    const problem = openMetadataProblem(metadata, config.metadataBytesMax);
    if (problem !== null) throw invalid('metadata', problem);
    return {
      channel: given.channel ?? '', contentType, merge: given.merge ?? mergeOf(contentType), class: given.class ?? 'interactive',
      leaseMs: given.leaseMs ?? config.leaseMs, ttlMs, retentionMs, limits: { ...this.limitDefaults(), ...limits },
      judgeVersion: config.judgeVersion, metadata,
    };
  }

  private limitDefaults(): Limits {
    const { heldFragmentsMax, heldBytesMax, gapMsMax, attemptsMax, fragmentBytesMax, streamBytesMax } = this.config;
    return { heldFragmentsMax, heldBytesMax, gapMsMax, attemptsMax, fragmentBytesMax, streamBytesMax };
  }
}

/** @returns why it cannot be the metadata of an open, or null when it can */
export function openMetadataProblem(metadata: Record<string, unknown>, bytesMax: number): string | null {
  const problem = metadataProblem(metadata);
  if (problem !== null) return problem;
  return Buffer.byteLength(JSON.stringify(metadata)) > bytesMax ? `must be at most ${bytesMax} bytes of JSON` : null;
}

function mergeOf(contentType: string): Merge {
  const essence = (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
  if (essence.startsWith('text/')) return 'text';
  return essence === 'application/json' || essence.endsWith('+json') ? 'json' : 'bytes';
}

const invalid = (option: string, rule: string): StreamError => new StreamError('OPTIONS_INVALID', { option, detail: `${option} ${rule}.` });

function problemOfIssue(issue: z.ZodIssue | undefined): StreamError {
  const path = issue?.path.join('.') ?? '';
  if (issue?.code === 'unrecognized_keys') {
    const option = [path, issue.keys[0]].filter((part) => part !== '').join('.');
    return invalid(option, 'is not an option; see /openapi.json for those there are');
  }
  return path === '' ? new StreamError('OPTIONS_INVALID', { detail: 'The options must be a JSON object.' }) : invalid(path, issue?.message ?? 'is invalid');
}
