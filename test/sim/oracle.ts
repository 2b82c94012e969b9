import {
  BEAT_KEY, cloneState, decodeLifecycle, decodeOwner, decodeRecord, decodeState, equalForCheckpoint, isNewer, judge, OWNER_KEY,
} from '@rivulet/protocol';
import type { LifecycleValue, LogRecord, Position, StreamState, TopicNames, Verdict, Version } from '@rivulet/protocol';
import type { StoredRecord } from '@rivulet/log';
import { crc32 } from '@rivulet/service';
import { NaiveStreams } from '../support/naive-judge';
import type { NaiveStream } from '../support/naive-judge';

/** Something is not as it must be. The simulation stops and prints the seed. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** The judge's state of one stream after each of its records, from the beginning of the log on. */
interface Refold { state: StreamState | undefined; history: StreamState[]; verdicts: Verdict[] }

const VERDICTS_MAX = 16;

/** What is true, whatever the processes do: everything that ever reached the log, refolded and read naively as it arrives. */
export class Oracle {
  readonly naive = new NaiveStreams();
  readonly refolds = new Map<string, Refold>();
  /** What every reader of lifecycle believes: the maximum version, a final status sticky [OWN-2]. */
  readonly table = new Map<string, LifecycleValue>();
  readonly counts = { records: 0, values: 0, checkpoints: 0, poison: 0 };
  private readonly owners = new Map<number, Version>();
  /** Every fragment the log ever got: `streamNo epoch sequence-or-empty payload`. */
  private readonly logged = new Set<string>();
  /** Streams whose records were taken from the log on purpose, before their time. */
  readonly damaged = new Set<string>();
  /** Streams that are over, and whose oldest records are no longer kept. */
  readonly shortened = new Set<string>();
  /** By partition, as published: where a new owner begins to replay. */
  readonly replayFrom = new Map<number, number>();

  constructor(private readonly topics: TopicNames) {}

  take(topic: string, partition: number, records: readonly StoredRecord[]): void {
    for (const record of records) {
      if (topic === this.topics.fragments) this.takeFragment(record);
      else if (topic === this.topics.lifecycle) this.takeLifecycle(record, partition);
    }
  }

  stream(streamNo: string): NaiveStream | undefined {
    return this.naive.get(streamNo);
  }

  /** [APPEND-1] Acknowledged ⊆ log. */
  checkAcknowledged(streamNo: string, epoch: number, sequence: number, payload: Uint8Array): void {
    if (!this.logged.has(fragmentKey(streamNo, epoch, sequence, payload))) {
      throw new Violation(`acknowledged but not in the log: ${streamNo} epoch ${epoch} sequence ${sequence}`);
    }
  }

  /** The judge's state after the records up to an offset. */
  stateAt(streamNo: string, offset: number): StreamState | undefined {
    return this.refolds.get(streamNo)?.history.findLast((state) => state.offset <= offset);
  }

  /** The two judges, written apart, agree on everything the log says. */
  checkJudges(): void {
    for (const [streamNo, naive] of this.naive) {
      const state = this.refolds.get(streamNo)?.state;
      if (state === undefined) throw new Violation(`the judge does not know ${streamNo}`);
      const { final } = naive;
      const expected = { next: naive.content.length + 1, epoch: naive.epoch, status: final?.status ?? 'open', reason: final?.reason ?? '', isDeleted: naive.isDeleted };
      const found = { next: state.next, epoch: state.epoch, status: state.status, reason: state.final?.reason ?? '', isDeleted: state.isDeleted };
      if (!isSame(expected, found)) throw new Violation(`the judges disagree on ${streamNo}: naive ${JSON.stringify(expected)}, judge ${JSON.stringify(found)}`);
    }
  }

  /** [JUDGE-1] Whoever folds, and however far: a state is what the log gives up to there. */
  checkState(found: StreamState, where: string): void {
    const { streamNo, offset } = found;
    if (this.damaged.has(streamNo)) return;
    const state = this.stateAt(streamNo, offset);
    if (state === undefined) throw new Violation(`${where} has ${streamNo}, which the log does not have up to ${offset}`);
    // Of a final stream that was read back there is only what everyone may know.
    const isRight = found.final === null ? equalForCheckpoint(found, state) : isSame(pick({ ...found.final }), pick({ ...state.final }));
    if (!isRight) throw new Violation(`${where} has another state of ${streamNo}: ${JSON.stringify(found)} instead of ${JSON.stringify(state)}`);
  }

  /** When all is quiet, the table says what the log says. */
  checkTable(): void {
    for (const [streamNo, naive] of this.naive) {
      if (this.damaged.has(streamNo)) continue;
      const value = this.table.get(streamNo);
      if (value === undefined) {
        if (!naive.isDeleted) throw new Violation(`the lifecycle table lacks ${streamNo}`);
        continue;
      }
      if (naive.isDeleted) {
        if (value.status !== 'deleted') throw new Violation(`${streamNo} is deleted, and ${value.status} in the lifecycle table`);
        continue;
      }
      this.checkFinal(streamNo, value.final, 'the lifecycle table');
      this.checkVerdicts(streamNo, value.verdicts);
      if (value.epoch !== naive.epoch || value.attempts.at(-1)!.attemptId !== (naive.attemptIds.get(naive.epoch) ?? '')) {
        throw new Violation(`the lifecycle table has another attempt of ${streamNo}: ${value.epoch} instead of ${naive.epoch}`);
      }
    }
  }

  /** [WATCH-9] A final event, wherever it is seen, is the one the log gives. */
  checkFinal(streamNo: string, found: object | null, where: string): void {
    const { final } = this.naive.get(streamNo)!;
    // [OWN-5] The only end that is no record.
    if (this.damaged.has(streamNo) && (found as { reason?: string } | null)?.reason === 'LOG_LOST') return;
    const facts = pick(found as Record<string, unknown> | null);
    const expected = pick(final as unknown as Record<string, unknown> | null);
    if (!isSame(expected, facts)) {
      throw new Violation(`${where} has another end of ${streamNo}: ${JSON.stringify(facts)} instead of ${JSON.stringify(expected)}`);
    }
  }

  /** [APPEND-1] Whoever waits for a verdict finds it, the newest ones at least. Nobody waits for that of an `open`. */
  private checkVerdicts(streamNo: string, found: readonly Verdict[]): void {
    const newest = new Map(this.refolds.get(streamNo)!.verdicts.map((verdict) => [verdict.offset, verdict]));
    const expected = [...newest.values()].sort((a, b) => a.offset - b.offset).slice(-VERDICTS_MAX).filter(isWaitedFor).map(verdictText);
    const given = new Set(found.map(verdictText));
    const missing = expected.filter((text) => !given.has(text));
    if (missing.length > 0) throw new Violation(`the lifecycle table lacks verdicts of ${streamNo}: ${missing.join(', ')}`);
  }

  private takeFragment({ key, value, offset, timestamp }: StoredRecord): void {
    this.counts.records += 1;
    let record: LogRecord;
    try {
      record = decodeRecord(Buffer.from(value!));
      if ((record.kind === 'beat') !== (key === BEAT_KEY)) throw new Error('misplaced');
    } catch {
      this.counts.poison += 1;
      return; // [OWN-7] nobody's content
    }
    if (record.kind === 'beat') {
      for (const beating of record.streams) this.refold(beating.no, { kind: 'beat', streams: [beating] }, offset, timestamp);
      return;
    }
    if (record.kind === 'append') this.noteFragments(key, record);
    this.naive.add({ offset, timestamp, key, record });
    this.refold(key, record, offset, timestamp);
  }

  private noteFragments(key: string, { epoch, firstSeq, payloads }: Extract<LogRecord, { kind: 'append' }>): void {
    payloads.forEach((payload, index) => this.logged.add(fragmentKey(key, epoch, firstSeq === 0 ? 0 : firstSeq + index, payload)));
  }

  private refold(streamNo: string, record: LogRecord, offset: number, timestamp: number): void {
    const refold = this.refolds.get(streamNo) ?? { state: undefined, history: [], verdicts: [] };
    const { state, effects } = judge(refold.state, streamNo, record, offset, timestamp, crc32);
    if (state === undefined) return;
    refold.state = state;
    for (const effect of effects) if (effect.kind === 'verdict') refold.verdicts.push(effect.verdict);
    refold.history.push(cloneState(state));
    this.refolds.set(streamNo, refold);
  }

  private takeLifecycle({ key, value, offset }: StoredRecord, partition: number): void {
    if (key === OWNER_KEY) return this.takeOwner(value!, offset, partition);
    if (value === null) {
      if (!this.naive.get(key)?.isDeleted && !this.damaged.has(key)) throw new Violation(`a tombstone of ${key}, which is not deleted`);
      this.table.delete(key);
      return;
    }
    const found = decodeLifecycle(value);
    this.counts.values += 1;
    this.checkValue(found, `the value of ${key} at ${partition}:${offset}`);
    const known = this.table.get(key);
    const isSticky = known !== undefined && known.final !== null && found.final === null;
    if (known === undefined || (!isSticky && (isNewer(found.version, known.version) || (known.final === null && found.final !== null)))) {
      this.table.set(key, found);
    }
  }

  private takeOwner(value: Buffer, offset: number, partition: number): void {
    const owner = decodeOwner(value);
    const claim = owner.version[0] < 0 ? offset : owner.version[0];
    const known = this.owners.get(partition);
    const version = [claim, owner.version[1], owner.version[2]] as const;
    if (known !== undefined && !isNewer(version, known)) return;
    this.owners.set(partition, version);
    this.replayFrom.set(partition, owner.replayFrom);
  }

  /** [OWN-3] Whoever publishes, and whenever: a value is what the log up to its offset gives. */
  private checkValue(value: LifecycleValue, where: string): void {
    if (this.damaged.has(value.streamNo)) return;
    const state = this.stateAt(value.streamNo, value.checkpoint?.offset ?? value.version[1]);
    if (state === undefined) throw new Violation(`${where} is of a stream the log does not have up to there`);
    const { epoch, next, bytes, checksum } = state;
    const expected = { epoch, sequence: next - 1, bytes, checksum, isFinal: state.final !== null };
    const { sequence, final } = value;
    const found = { epoch: value.epoch, sequence, bytes: value.bytes, checksum: value.checksum, isFinal: final !== null };
    if (!isSame(expected, found)) {
      throw new Violation(`${where} is not what the log gives: ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`);
    }
    if (final !== null && !isSame(pick({ ...final }), pick({ ...state.final }))) throw new Violation(`${where} has another end than the log`);
    const given = new Set(this.refolds.get(value.streamNo)!.verdicts.map(verdictText));
    const invented = value.verdicts.find((verdict) => !given.has(verdictText(verdict)));
    if (invented !== undefined) throw new Violation(`${where} has a verdict that the log never gave: ${verdictText(invented)}`);
    for (const position of value.positions) this.checkPosition(value.streamNo, position, where);
    if (value.checkpoint === undefined) return;
    this.counts.checkpoints += 1;
    if (!equalForCheckpoint(decodeState(value.checkpoint.state), state)) {
      throw new Violation(`${where}: its checkpoint is not the refold: ${JSON.stringify(value.checkpoint.state)} instead of ${JSON.stringify(state)}`);
    }
  }

  private checkPosition(streamNo: string, position: Position, where: string): void {
    const state = this.stateAt(streamNo, position.offset);
    const facts = ({ epoch, next, bytes, checksum, judgedAt, numbering, writerRun, writers }: Position): unknown[] =>
      [epoch, next, bytes, checksum, judgedAt, numbering, writerRun, writers];
    const isWaiting = state === undefined || state.held.length > 0 || state.pendingEnd !== null;
    if (isWaiting || !isSame(facts(state), facts(position))) throw new Violation(`${where} has a position that is not the refold: ${JSON.stringify(position)}`);
  }
}

const fragmentKey = (streamNo: string, epoch: number, sequence: number, payload: Uint8Array): string =>
  `${streamNo} ${epoch} ${sequence} ${Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('latin1')}`;

const isWaitedFor = ({ kind }: Verdict): boolean => kind !== 'open';
const verdictText = ({ offset, kind, outcome, code, attemptId }: Verdict): string =>
  [offset, kind, outcome, code ?? '', attemptId ?? ''].join(' ').trim();

const FINAL_FACTS = ['status', 'reason', 'epoch', 'sequence', 'bytes', 'checksum', 'digest', 'at'];

function pick(from: Record<string, unknown> | null): Record<string, unknown> | null {
  return from === null ? null : Object.fromEntries(FINAL_FACTS.map((name) => [name, from[name]]));
}

export const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
