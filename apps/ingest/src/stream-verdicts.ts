import { StreamError } from '@rivulet/protocol';
import type { AbortBody, EndBody, FinalFacts, VerdictReply } from '@rivulet/protocol';
import { refusalOf } from './admission';
import type { Admission, Admitted, WriterHeaders } from './admission';
import type { Route } from './append-entry';
import type { FragmentAppender } from './fragment-appender';
import type { Leases } from './leases';
import type { KnownStream, StreamTable } from './stream-table';

export interface VerdictOptions {
  /** After this long the answer is PENDING, ms. */
  verdictMsMax: number;
}

/** What makes a stream final, or keeps it alive, answered with the log's verdict [APPEND-1]. */
export class StreamVerdicts {
  constructor(
    private readonly admission: Admission,
    private readonly appender: FragmentAppender,
    private readonly leases: Leases,
    private readonly table: StreamTable,
    private readonly options: VerdictOptions,
  ) {}

  /** @throws StreamError of the judge's code when the log refused it */
  async end(admitted: Admitted, writer: WriterHeaders, body: EndBody): Promise<VerdictReply> {
    const isRepeat = (final: FinalFacts): boolean => isSameEnd(final, body);
    const repeated = this.repeated(admitted.streamNo, isRepeat);
    if (repeated) return repeated;
    return this.sealAsEnd(await this.admission.route(admitted, writer), body);
  }

  async abort(admitted: Admitted, writer: WriterHeaders, body: AbortBody): Promise<VerdictReply> {
    const isRepeat = (final: FinalFacts): boolean => isSameAbort(final, body);
    const repeated = this.repeated(admitted.streamNo, isRepeat);
    if (repeated) return repeated;
    return this.sealAsAbort(await this.admission.route(admitted, writer), body);
  }

  async sealAsEnd(route: Route, body: EndBody): Promise<VerdictReply> {
    const { lastSeq = null, checksum = null, digest = '', metadata = {} } = body;
    const record = { kind: 'end', epoch: route.epoch, lastSeq, checksum, digest, metadata, writerRun: route.run } as const;
    const { offset } = await this.appender.seal(route.streamNo, route.partition, record);
    return this.answer(route.streamNo, offset, (final) => isSameEnd(final, body));
  }

  async sealAsAbort(route: Route, body: AbortBody): Promise<VerdictReply> {
    const record = { kind: 'abort', epoch: route.epoch, code: body.code, message: body.message ?? '', writerRun: route.run } as const;
    const { offset } = await this.appender.seal(route.streamNo, route.partition, record);
    return this.answer(route.streamNo, offset, (final) => isSameAbort(final, body));
  }

  /** [APPEND-7] Durable, and what is known of the stream. That it is final or superseded a silent producer learns here. */
  async heartbeat(admitted: Admitted, writer: WriterHeaders): Promise<VerdictReply> {
    const route = await this.admission.route(admitted, writer);
    await this.leases.beat(route);
    const known = this.table.get(route.streamNo);
    const refusal = known && refusalOf(known, route);
    if (refusal) throw refusal;
    return known ? replyOf(known) : pendingReply(route.streamNo);
  }

  private async answer(streamNo: string, offset: number, isRepeat: (final: FinalFacts) => boolean): Promise<VerdictReply> {
    const decided = await this.table.verdict(streamNo, offset, this.options.verdictMsMax);
    if (!decided) return pendingReply(streamNo);
    const { verdict, known } = decided;
    if (verdict.outcome === 'accepted') return replyOf(known);
    if (known.final && isRepeat(known.final)) return replyOf(known);
    const { code = 'STREAM_FINAL' } = verdict;
    const status = known.final ? { status: known.final.status, reason: known.final.reason } : {};
    throw new StreamError(code, { streamNo, epoch: known.epoch, sequence: known.sequence, ...status });
  }

  /** [APPEND-4] The same call again is answered the same, without another record. */
  private repeated(streamNo: string, isRepeat: (final: FinalFacts) => boolean): VerdictReply | null {
    const known = this.table.get(streamNo);
    return known?.final && known.status !== 'deleted' && isRepeat(known.final) ? replyOf(known) : null;
  }
}

function isSameEnd(final: FinalFacts, body: EndBody): boolean {
  return (
    final.status === 'ended' &&
    (body.lastSeq === undefined || body.lastSeq === final.sequence) &&
    (body.checksum === undefined || body.checksum === final.checksum) &&
    (body.digest ?? '') === final.digest
  );
}

function isSameAbort(final: FinalFacts, body: AbortBody): boolean {
  return final.status === 'failed' && final.reason === body.code && final.message === (body.message ?? '');
}

export function replyOf(known: KnownStream): VerdictReply {
  const { streamNo, status, final } = known;
  const { sequence, bytes, checksum } = final ?? known;
  return { streamNo, status, sequence, bytes, checksum };
}

export function pendingReply(streamNo: string): VerdictReply {
  return { streamNo, status: 'PENDING', sequence: 0, bytes: 0, checksum: 0 };
}
