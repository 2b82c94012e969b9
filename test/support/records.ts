import { crc32 } from 'node:zlib';
import { judge } from '@rivulet/protocol';
import type {
  AbortRecord, AppendRecord, CancelRecord, Effect, EndRecord, Limits, LogRecord, OpenRecord, RetryRecord, StreamState, Verdict,
} from '@rivulet/protocol';

/** Records with everything a test does not care about filled in, and a fold that keeps what readers would see. */
export const LIMITS: Limits = {
  heldFragmentsMax: 64, heldBytesMax: 4 * 1024 * 1024, gapMsMax: 30_000, attemptsMax: 16, fragmentBytesMax: 256 * 1024, streamBytesMax: 0,
};
export const STREAM_NO = '20d2125e6h820nmsma8x7sk8y9zj2htf';

export function open(limits: Partial<Limits> = {}, overrides: Partial<OpenRecord> = {}): OpenRecord {
  return {
    kind: 'open', channel: '', contentType: 'text/plain; charset=utf-8', merge: 'text', class: 'interactive', leaseMs: 10_000,
    ttlMs: 86_400_000, retentionMs: 86_400_000, limits: { ...LIMITS, ...limits }, judgeVersion: 1, metadata: {}, ...overrides,
  };
}

export function append(firstSeq: number, texts: string | string[], overrides: Partial<AppendRecord> = {}): AppendRecord {
  const payloads = [texts].flat().map((text) => Buffer.from(text));
  return { kind: 'append', epoch: 1, firstSeq, writer: '', n: 0, writerRun: '', lane: '', payloads, ...overrides };
}

export function unnumbered(writer: string, n: number, texts: string | string[], overrides: Partial<AppendRecord> = {}): AppendRecord {
  return append(0, texts, { writer, n, ...overrides });
}

export function end(lastSeq: number | null = null, overrides: Partial<EndRecord> = {}): EndRecord {
  return { kind: 'end', epoch: 1, lastSeq, checksum: null, digest: '', metadata: {}, ...overrides };
}

export function retry(epoch: number, keep: 'all' | 'none' = 'all', overrides: Partial<RetryRecord> = {}): RetryRecord {
  return { kind: 'retry', epoch, attemptId: `attempt-${epoch}`, keep, reason: '', ...overrides };
}

export function abort(epoch = 1, code = 'MODEL_FAILED', message = ''): AbortRecord {
  return { kind: 'abort', epoch, code, message };
}

export function cancel(reason = 'user', by = 'key'): CancelRecord {
  return { kind: 'cancel', by, reason };
}

export function beat(epoch = 1, no = STREAM_NO): LogRecord {
  return { kind: 'beat', streams: [{ no, epoch }] };
}

export const checksumOf = (text: string | Uint8Array): number => crc32(text as string);

/** One stream, folded record by record at offsets 0, 1, 2, … one ms apart. */
export class Fold {
  state: StreamState | undefined;
  offset = -1;
  now = 1_000;
  /** Effects of the last record. */
  effects: Effect[] = [];
  readonly verdicts: Verdict[] = [];
  /** What a reader has after following every effect. */
  readonly fragments: { lane: string; payload: Uint8Array }[] = [];

  /** Folds the records, each one ms after the other. */
  push(...records: LogRecord[]): this {
    for (const record of records) this.pushAt(this.now + 1, record);
    return this;
  }

  pushAt(timestamp: number, record: LogRecord): this {
    this.offset += 1;
    this.now = timestamp;
    const judged = judge(this.state, STREAM_NO, record, this.offset, timestamp, crc32);
    this.state = judged.state;
    this.effects = judged.effects;
    for (const effect of judged.effects) {
      if (effect.kind === 'verdict') this.verdicts.push(effect.verdict);
      if (effect.kind === 'attempt' && effect.keep === 'none') this.fragments.length = 0;
      if (effect.kind === 'fragments') for (const payload of effect.payloads) this.fragments.push({ lane: effect.lane, payload });
    }
    return this;
  }

  /** The state of a stream that was opened. */
  get known(): StreamState {
    if (!this.state) throw new Error('The stream was never opened.');
    return this.state;
  }

  get text(): string {
    return Buffer.concat(this.fragments.map(({ payload }) => payload)).toString();
  }

  /** Effects of the last record of one kind. */
  last<K extends Effect['kind']>(kind: K): Extract<Effect, { kind: K }>[] {
    return this.effects.filter((effect): effect is Extract<Effect, { kind: K }> => effect.kind === kind);
  }
}

/** @returns a fold of a stream that is open */
export function opened(limits: Partial<Limits> = {}, overrides: Partial<OpenRecord> = {}): Fold {
  return new Fold().push(open(limits, overrides));
}
