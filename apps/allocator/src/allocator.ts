import { StreamError } from '@rivulet/protocol';
import type { OpenedStream, RetriedStream, Verdict, VerdictReply } from '@rivulet/protocol';
import type { Auth, StreamNos } from '@rivulet/service';
import { isFinalStatus } from './lifecycle-entries';
import type { KnownStream } from './lifecycle-entries';
import type { OpenAsked, Opener } from './opener';
import type { RecordWriter } from './record-writer';
import type { VerdictWaits } from './verdict-waits';

export interface RetryAsked {
  streamNo: string;
  /** The epoch the caller holds; 0: the current one. */
  epoch: number;
  attemptId: string;
  keep: 'all' | 'none';
  reason: string;
}
export interface CancelAsked { streamNo: string; by: string; reason: string }

interface AllocatorParts {
  opener: Opener;
  auth: Auth;
  streamNos: StreamNos;
  writer: RecordWriter;
  waits: VerdictWaits;
  verdictMsMax: number;
  now: () => number;
  /** Told of every call when it is answered. */
  onAnswered: (answered: Answered) => void;
}

/** `outcome`: `ok`, or the code of the refusal. */
export interface Answered { call: 'open' | 'retry' | 'cancel'; streamNo: string | undefined; outcome: string }

/** A retry whose record is durable but not decided: asking again must not write another one [APPEND-8]. */
interface PendingRetry { epoch: number; offset: number | null }
const PENDING_MAX = 10_000;
const TEXT_MAX = 512;
/** An outage of the owner, and the hour by which the time in an idempotent streamNo may be off. */
const OPENING_MS_MAX = 2 * 3_600_000;

/**
 * What the others ask of the control plane. It decides nothing about a stream: it writes what is asked into the log and
 * waits until the owner's lifecycle shows what the judge made of it.
 */
export class Allocator {
  private readonly pending = new Map<string, PendingRetry>();

  constructor(private readonly parts: AllocatorParts) {}

  open(asked: OpenAsked): Promise<OpenedStream> {
    return this.told('open', undefined, this.parts.opener.open(asked));
  }

  /**
   * [APPEND-8] Starts the next attempt and answers once the log has decided whose it is.
   * @throws StreamError RETRY_CONFLICT, STREAM_FINAL, ATTEMPTS_EXHAUSTED, EPOCH_UNKNOWN, RETRY_PENDING, STREAM_NOT_FOUND, STREAM_GONE
   */
  retry(asked: RetryAsked): Promise<RetriedStream> {
    return this.told('retry', asked.streamNo, this.startAttempt(asked));
  }

  /**
   * [JUDGE-9] Ends a stream that is not final. Repeating it with the same reason answers the same [APPEND-4].
   * @returns status PENDING when the verdict was not known in time
   * @throws StreamError STREAM_FINAL, STREAM_NOT_FOUND, STREAM_GONE
   */
  cancel(asked: CancelAsked): Promise<VerdictReply> {
    return this.told('cancel', asked.streamNo, this.endByCancel(asked));
  }

  private async startAttempt(asked: RetryAsked): Promise<RetriedStream> {
    const { waits, verdictMsMax } = this.parts;
    const { partition } = this.parts.streamNos.verify(asked.streamNo);
    if (asked.attemptId === '' || asked.attemptId.length > TEXT_MAX) {
      throw new StreamError('OPTIONS_INVALID', { option: 'attemptId', detail: `attemptId must be 1 to ${TEXT_MAX} characters.` });
    }
    const deadline = performance.now() + verdictMsMax;
    const leftMs = (): number => Math.max(0, deadline - performance.now());
    // Without an epoch it is the current one that counts, not the one this process knew before it stood still for a while.
    if (asked.epoch === 0 && !(await waits.current(partition, verdictMsMax))) throw undecided(asked);
    // The table may lag behind an open or a retry that the caller has seen already.
    const isCurrent = (known: KnownStream): boolean => known.epoch >= asked.epoch || isFinalStatus(known.status);
    const stream = await waits.until(asked.streamNo, leftMs(), (known) => (isCurrent(known) ? known : undefined));
    if (!stream) throw await this.unknown(asked);
    const key = `${asked.streamNo}/${asked.attemptId}`;
    const decided = decisionOf(stream, asked, this.pending.get(key)?.epoch ?? null);
    if (decided) return this.retried(decided, key);
    const retry = this.pending.get(key) ?? { epoch: (asked.epoch || stream.epoch) + 1, offset: null };
    this.remember(key, retry);
    retry.offset ??= await this.parts.writer.write(asked.streamNo, partition, {
      kind: 'retry', epoch: retry.epoch, attemptId: asked.attemptId, keep: asked.keep, reason: plainText(asked.reason),
    });
    const answer = await waits.until(asked.streamNo, leftMs(), (known) => outcomeOf(known, asked, retry));
    if (!answer) throw undecided(asked);
    return this.retried(answer, key);
  }

  private async endByCancel(asked: CancelAsked): Promise<VerdictReply> {
    const { waits, verdictMsMax, writer } = this.parts;
    const { streamNo } = asked;
    const reason = plainText(asked.reason);
    const { partition } = this.parts.streamNos.verify(streamNo);
    const deadline = performance.now() + verdictMsMax;
    const stream = await waits.until(streamNo, verdictMsMax, (known) => known);
    if (!stream && !this.mayBeOpening(streamNo)) throw new StreamError('STREAM_NOT_FOUND', { streamNo });
    if (stream && isFinalStatus(stream.status)) return cancelledReply(stream, reason);
    const offset = await writer.write(streamNo, partition, { kind: 'cancel', by: plainText(asked.by), reason });
    const final = await waits.until(streamNo, Math.max(0, deadline - performance.now()),
      (known) => (isFinalStatus(known.status) || verdictAt(known, offset) ? known : undefined));
    if (!final) return { ...(stream ? replyOf(stream) : { streamNo, sequence: 0, bytes: 0, checksum: 0 }), status: 'PENDING' };
    return cancelledReply(final, reason);
  }

  private async told<R extends { streamNo: string }>(call: Answered['call'], streamNo: string | undefined, answer: Promise<R>): Promise<R> {
    try {
      const reply = await answer;
      this.parts.onAnswered({ call, streamNo: reply.streamNo, outcome: 'ok' });
      return reply;
    } catch (error) {
      this.parts.onAnswered({ call, streamNo, outcome: error instanceof StreamError ? error.code : 'INTERNAL' });
      throw error;
    }
  }

  private async unknown(asked: RetryAsked): Promise<StreamError> {
    const known = await this.parts.waits.until(asked.streamNo, 0, (stream) => stream);
    const { streamNo, epoch } = asked;
    if (known) return new StreamError('EPOCH_UNKNOWN', { streamNo, epoch, currentEpoch: known.epoch });
    return this.mayBeOpening(streamNo)
      ? undecided(asked)
      : new StreamError('STREAM_NOT_FOUND', { streamNo });
  }

  /** Opened so lately that the owner may only not have shown it yet: telling its producer to stop would lose the stream. */
  private mayBeOpening(streamNo: string): boolean {
    return this.parts.streamNos.verify(streamNo).time > this.parts.now() - OPENING_MS_MAX;
  }

  private remember(key: string, retry: PendingRetry): void {
    if (this.pending.size >= PENDING_MAX) this.pending.delete(this.pending.keys().next().value as string);
    this.pending.set(key, retry);
  }

  /** [APPEND-12] The answer names the new epoch and carries its write token. */
  private async retried(decision: Decision, key: string): Promise<RetriedStream> {
    this.pending.delete(key);
    if (decision instanceof StreamError) throw decision;
    const { streamNo, epoch, open, openedAt, sequence, bytes, checksum } = decision;
    const writeToken = await this.parts.auth.mintWrite({ streamNo, open, openedAt, epoch });
    return { streamNo, epoch, writeToken, next: sequence + 1, bytes, checksum };
  }
}

const undecided = ({ streamNo, attemptId }: RetryAsked): StreamError =>
  new StreamError('RETRY_PENDING', { streamNo, attemptId, retryAfterMs: 1_000 });

const LONE_SURROGATES = /\p{Surrogate}/gu;

/** Text as it comes back from the log, where it is UTF-8: so that a cancel knows its own reason again. Cut at a code point. */
function plainText(text: string): string {
  // The u flag sees pairs as one character, so only halves match; the cut may leave another one at the end.
  return text.replace(LONE_SURROGATES, '\ufffd').slice(0, TEXT_MAX).replace(LONE_SURROGATES, '');
}

/** Mine: the stream as it is now. Otherwise: why not. */
type Decision = KnownStream | StreamError;

/**
 * [APPEND-8] What is already decided about an attempt: mine → the stream; another or final → why not; neither → undefined.
 * @param target the epoch this attempt asked for, or null before it has asked
 */
function decisionOf(stream: KnownStream, { attemptId, epoch: held }: RetryAsked, target: number | null): Decision | undefined {
  const { streamNo, epoch, status } = stream;
  if (isFinalStatus(status)) return finalError(stream);
  const mine = stream.attempts.find((attempt) => attempt.attemptId === attemptId && attempt.epoch > 1);
  if (mine && mine.epoch === epoch) return stream;
  const isTaken = mine !== undefined || (target !== null ? epoch >= target : held > 0 && held < epoch);
  if (!isTaken) return undefined;
  return new StreamError('RETRY_CONFLICT', { streamNo, epoch, detail: `Epoch ${epoch} is the current one, and not of this attempt.` });
}

function outcomeOf(stream: KnownStream, asked: RetryAsked, retry: PendingRetry): Decision | undefined {
  const decided = decisionOf(stream, asked, retry.epoch);
  if (decided) return decided;
  const verdict = retry.offset === null ? undefined : verdictAt(stream, retry.offset);
  if (verdict?.outcome !== 'refused') return undefined;
  return new StreamError(verdict.code ?? 'RETRY_CONFLICT', { streamNo: stream.streamNo, epoch: stream.epoch });
}

function verdictAt(stream: KnownStream, offset: number): Verdict | undefined {
  return stream.verdicts.find((verdict) => verdict.offset === offset);
}

function finalError({ streamNo, status, final }: KnownStream): StreamError {
  if (status === 'deleted') return new StreamError('STREAM_GONE', { streamNo });
  if (final?.reason === 'ATTEMPTS_EXHAUSTED') return new StreamError('ATTEMPTS_EXHAUSTED', { streamNo });
  return new StreamError('STREAM_FINAL', { streamNo, status, reason: final?.reason, detail: `It is ${status}.` });
}

function cancelledReply(stream: KnownStream, reason: string): VerdictReply {
  if (stream.status !== 'cancelled' || stream.final?.reason !== reason) throw finalError(stream);
  return replyOf(stream);
}

function replyOf({ streamNo, status, sequence, bytes, checksum }: KnownStream): VerdictReply {
  return { streamNo, status, sequence, bytes, checksum };
}
