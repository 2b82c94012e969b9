import type { Attempt, FinalFacts, OpenFacts, Position, PublicStatus, Verdict } from './state';

/** (claim, folded offset, n-th value at that offset): readers keep the maximum, never the last write [OWN-2]. */
export type Version = readonly [claim: number, offset: number, n: number];

/** Value of the compacted topic `rivulet.lifecycle`, JSON, key streamNo. What everyone may know, and the owner's checkpoint. */
export interface LifecycleValue {
  version: Version;
  streamNo: string;
  status: PublicStatus;
  open: OpenFacts;
  openedAt: number;
  openedOffset: number;
  epoch: number;
  /** The run that holds the epoch [JUDGE-11]; absent while none does. */
  writerRun?: string;
  /** Last accepted sequence. */
  sequence: number;
  bytes: number;
  checksum: number;
  updatedAt: number;
  attempts: Attempt[];
  /** The newest last, at most 16. */
  verdicts: Verdict[];
  final: FinalFacts | null;
  /** Judge state exactly after `offset`, as encodeState writes it [OWN-3]. Absent: replay from openedOffset. */
  checkpoint?: { offset: number; state: unknown };
  /** Sparse index for cold reads, ascending, at most 64. */
  positions: Position[];
}

/** Value of the key `#owner` in each lifecycle partition. */
export interface OwnerValue {
  /** The claim in it is -1 in the record that is the claim: its own offset. */
  version: Version;
  instance: string;
  address: string;
  replayFrom: number;
  /**
   * By what a later owner knows the log again [OWN-5]: cluster id + ':' + offset + ':' + broker timestamp of the last record folded,
   * or '' when unknown.
   */
  logId: string;
}
