import { encodeState, publicStatus, summaryOf } from '@rivulet/protocol';
import type { LifecycleValue, Position, PositionIndex, StreamState, StreamSummary, Verdict, Version } from '@rivulet/protocol';
import type { ReplayMark } from './replay-marks';
import type { StreamEntry } from './stream-source';
import type { StreamView } from './stream-view';

export const VERDICTS_MAX = 16;

/**
 * A stream in memory: open, or ended and watched, or ended and not yet durable in lifecycle.
 * There may be very many, most of them idle, so: one object, no map or set before it is needed, the view made on first use.
 */
export class OpenStream implements StreamEntry {
  sessions = 0;
  pins = 0;
  isOrphaned = false;
  verdicts: Verdict[] = [];
  /** Where the newest acknowledged lifecycle value is; -1 before the first. */
  lifecycleOffset = -1;
  /** First record that no acknowledged or flying checkpoint covers. */
  mark: ReplayMark | null = null;
  /** The same of the checkpoint that is being written. */
  flyingMark: ReplayMark | null = null;
  isDirty = false;
  isFlying = false;
  /** For the lease clock: the activity seen last, and the horizon then. -1: none yet. */
  seenActivityOffset = -1;
  activityAt = 0;
  private viewMade: StreamView | null = null;
  private listeners: Set<() => void> | null = null;

  constructor(
    readonly streamNo: string,
    readonly partition: number,
    public state: StreamState,
    public index: PositionIndex,
    /** Records up to here are in the state already: a replay skips them. */
    public foldedTo: number,
    private readonly makeView: (streamNo: string) => StreamView,
  ) {}

  get view(): StreamView {
    this.viewMade ??= this.makeView(this.streamNo);
    return this.viewMade;
  }

  get positions(): readonly Position[] {
    return this.index.all;
  }

  get isFinal(): boolean {
    return this.state.status !== 'open';
  }

  onChange(listener: () => void): () => void {
    this.listeners ??= new Set();
    this.listeners.add(listener);
    return () => {
      this.listeners?.delete(listener);
      if (this.listeners?.size === 0) this.listeners = null;
    };
  }

  notify(): void {
    if (this.listeners === null) return;
    for (const listener of [...this.listeners]) listener();
  }

  /** By offset of the record they answer: a pending one is answered again later, and a replay meets those that were published before it. */
  addVerdict(verdict: Verdict): void {
    const { verdicts } = this;
    if (verdicts.length === 0) {
      this.verdicts = [verdict]; // exactly one long: an array that grows takes room for seventeen
      return;
    }
    let place = verdicts.length;
    while (place > 0 && verdicts[place - 1]!.offset >= verdict.offset) place -= 1;
    const isKnown = verdicts[place]?.offset === verdict.offset;
    verdicts.splice(place, isKnown ? 1 : 0, verdict);
    if (verdicts.length > VERDICTS_MAX) verdicts.shift();
  }

  /** The partition is no longer ours: sessions are told, nothing is written any more. */
  orphan(): void {
    this.isOrphaned = true;
    this.notify();
    this.dispose();
  }

  dispose(): void {
    this.viewMade?.dispose();
    this.viewMade = null;
  }

  summary(): StreamSummary {
    return { ...summaryOf(this.streamNo, this.state), sessions: this.sessions };
  }

  /** @param foldedTo offset up to which the partition is folded: the state is exact after it [OWN-3] */
  lifecycleValue(version: Version, foldedTo: number): LifecycleValue {
    const { state } = this;
    const status = publicStatus(state);
    const isSmall = status === 'deleted'; // [OWN-4] what is left of it until the tombstone
    return {
      // First, so that the owner recognises its own values by their first bytes.
      version,
      streamNo: this.streamNo,
      status,
      open: isSmall ? { ...state.open, metadata: {} } : state.open,
      openedAt: state.openedAt,
      openedOffset: state.openedOffset,
      epoch: state.epoch,
      ...(state.writerRun === '' ? {} : { writerRun: state.writerRun }),
      sequence: state.next - 1,
      bytes: state.bytes,
      checksum: state.checksum,
      updatedAt: state.judgedAt,
      attempts: isSmall ? [] : state.attempts,
      verdicts: this.verdicts,
      final: isSmall && state.final ? { ...state.final, metadata: {} } : state.final,
      // A final state needs no checkpoint: the value itself has all of it, and a replay skips its records.
      ...(this.isFinal ? {} : { checkpoint: { offset: foldedTo, state: encodeState(state) } }),
      positions: isSmall ? [] : this.index.all as Position[],
    };
  }
}
