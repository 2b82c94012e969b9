import { StreamError } from '@rivulet/protocol';
import type { Auth, Principal, Quotas, Scope, StreamNos } from '@rivulet/service';
import type { Route } from './append-entry';
import type { KnownStream, StreamTable } from './stream-table';

export interface AdmissionOptions {
  /** How long a call waits for a stream or an epoch that the table does not show yet, ms. */
  projectionMsMax: number;
}

/** Who asks for what, before anything is known of the stream. */
export interface Admitted {
  streamNo: string;
  partition: number;
  principal: Principal;
}

/** Headers that say which attempt and which run of the producer writes. */
export interface WriterHeaders {
  /** Header Stream-Epoch, with an API key [APPEND-12]. */
  epoch?: string | number | undefined;
  /** Header Writer-Run [JUDGE-11]. */
  run?: string | undefined;
}

const RUN_LENGTH_MAX = 64;

/** Decides whether a call may write to a stream, and where; what only the log can decide is left to the judge. */
export class Admission {
  constructor(
    private readonly auth: Auth,
    private readonly streamNos: StreamNos,
    private readonly table: StreamTable,
    private readonly quotas: Quotas,
    private readonly options: AdmissionOptions,
  ) {}

  /** [NO-2] First the streamNo, which costs no look-up; then the credential. */
  async admit(streamNo: string, authorization: string | undefined, scope: Scope): Promise<Admitted> {
    const { partition } = this.streamNos.verify(streamNo);
    const principal = await this.auth.authenticate({ authorization });
    this.auth.authorize(principal, { scope, streamNo });
    return { streamNo, partition, principal };
  }

  /** The same for a credential that was shown before, on a socket. */
  admitAs(principal: Principal, streamNo: string, scope: Scope): Admitted {
    const { partition } = this.streamNos.verify(streamNo);
    this.auth.authorize(principal, { scope, streamNo });
    return { streamNo, partition, principal };
  }

  /** Who may open streams. @throws StreamError UNAUTHENTICATED, FORBIDDEN */
  async opener(authorization: string | undefined): Promise<Principal> {
    const principal = await this.auth.authenticate({ authorization });
    this.mayOpen(principal);
    return principal;
  }

  mayOpen(principal: Principal): void {
    this.auth.authorize(principal, { scope: 'open' });
  }

  authenticate(authorization: string | undefined): Promise<Principal> {
    return this.auth.authenticate({ authorization });
  }

  /**
   * [APPEND-6] A stream the table does not show is written to if the token says how; a final one is not.
   * @throws StreamError STREAM_FINAL, STREAM_GONE, STALE_EPOCH, EPOCH_UNKNOWN, WRITER_CONFLICT, STREAM_NOT_FOUND
   */
  async route(admitted: Admitted, writer: WriterHeaders): Promise<Route> {
    const { streamNo, partition, principal } = admitted;
    const { claims } = principal;
    let known = this.table.get(streamNo);
    if (!known && !(claims?.m && claims.lim)) known = await this.appeared(streamNo);
    if (known) throwIfFinal(known);
    const run = runOf(writer.run);
    const asked = claims?.e ?? epochOf(writer.epoch);
    if (known && asked !== undefined && asked > known.epoch && !claims?.e) known = await this.reached(streamNo, asked, known);
    const epoch = asked ?? known?.epoch ?? 1;
    const refusal = known && refusalOf(known, { epoch, run });
    if (refusal) throw refusal;
    const rules = known?.rules ?? { merge: claims!.m!, fragmentBytesMax: claims!.lim!.fragmentBytesMax };
    const quota = this.quotas.isEmpty ? null : this.quotas.ofWriter(principal, streamNo);
    return { streamNo, partition, epoch, run, rules, quota };
  }

  /** With an API key only the table knows the stream, and it may lag behind an open that was just answered. */
  private async appeared(streamNo: string): Promise<KnownStream> {
    const known = await this.table.until(streamNo, () => true, this.options.projectionMsMax);
    if (!known) throw new StreamError('STREAM_NOT_FOUND', { streamNo });
    return known;
  }

  private async reached(streamNo: string, epoch: number, present: KnownStream): Promise<KnownStream> {
    const known = await this.table.until(streamNo, (one) => one.epoch >= epoch || one.final !== null, this.options.projectionMsMax);
    if (!known) throw new StreamError('EPOCH_UNKNOWN', { streamNo, epoch, currentEpoch: present.epoch });
    throwIfFinal(known);
    return known;
  }
}

export function throwIfFinal(known: KnownStream): void {
  const refusal = refusalOf(known, { epoch: Infinity, run: '' });
  if (refusal) throw refusal;
}

/** @returns why a writer of that epoch and run can go no further, or null. Pushed to open connections as it happens. */
export function refusalOf(known: KnownStream, { epoch, run }: Pick<Route, 'epoch' | 'run'>): StreamError | null {
  const { streamNo, status, final } = known;
  if (status === 'deleted') return new StreamError('STREAM_GONE', { streamNo });
  if (final) return new StreamError('STREAM_FINAL', { streamNo, status: final.status, reason: final.reason, sequence: final.sequence });
  if (known.epoch > epoch) return new StreamError('STALE_EPOCH', { streamNo, epoch, currentEpoch: known.epoch });
  // [JUDGE-11] The log has bound the epoch to another run, and refuses all of this one's.
  const isAnother = known.epoch === epoch && known.run !== '' && run !== '' && known.run !== run;
  return isAnother ? new StreamError('WRITER_CONFLICT', { streamNo, epoch }) : null;
}

function epochOf(value: string | number | undefined): number | undefined {
  if (value === undefined) return undefined;
  const epoch = Number(value);
  if (Number.isSafeInteger(epoch) && epoch >= 1) return epoch;
  throw new StreamError('OPTIONS_INVALID', { detail: 'Stream-Epoch is not a whole number from 1.' });
}

function runOf(value: string | undefined): string {
  if (value === undefined) return '';
  if (value.length <= RUN_LENGTH_MAX) return value;
  throw new StreamError('OPTIONS_INVALID', { detail: `Writer-Run is longer than ${RUN_LENGTH_MAX} characters.` });
}
