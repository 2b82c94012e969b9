import { StreamError, parseCursor, resolveCursor } from '@rivulet/protocol';
import type { FinalFacts } from '@rivulet/protocol';
import { ColdReader, generationOf } from './cold-reader';
import type { ScanTurns } from './scan-turns';
import type { StreamEntry } from './stream-source';
import { newestPerLane } from './view-segment';
import type { Run } from './view-segment';

/** Of `newest` little is told of what is looked at, so more is looked at in one pull. */
const NEWEST_FACTOR = 16;

/** What a reader is told next. `generation`: the epoch that began the content, for telling equal runs of different contents apart. */
export type Told =
  | { kind: 'rewind'; epoch: number }
  | { kind: 'fragments'; run: Run; generation: number }
  | { kind: 'lost' }
  | { kind: 'resumed' }
  | { kind: 'final'; final: FinalFacts };

export interface ReaderOptions {
  entry: StreamEntry;
  turns: ScanTurns;
  /** `bytes`: neighbours are merged; `items`: one part per fragment; `newest`: the newest per lane only [WATCH-3]. */
  shape: 'bytes' | 'items' | 'newest';
  /** Start of a cold read. */
  onCold?: () => void;
}

/** Where a reader starts. */
export interface Place {
  /** Epoch that began the content the sequence counts in; 0: what the reader has is void, it is told `rewind`. */
  generation: number;
  /** Last sequence the reader has. */
  sequence: number;
  /** The reader has the final event too: nothing follows [WATCH-9]. */
  isFinished: boolean;
}

/**
 * [WATCH-2] @param cursor null: from the beginning
 * @throws StreamError CURSOR_INVALID; CURSOR_UNKNOWN when it is ahead of what is folded
 */
export function placeOf(entry: StreamEntry, cursor: string | null): Place {
  const { state } = entry;
  const generation = generationOf(state);
  if (cursor === null) return { generation, sequence: 0, isFinished: false };
  const parsed = parseCursor(cursor);
  const { sequence, needsRewind } = resolveCursor(parsed, state.attempts, state.next);
  if (needsRewind) return { generation: 0, sequence: 0, isFinished: false };
  if (!parsed.isFinal) return { generation, sequence, isFinished: false };
  if (state.final === null || state.final.sequence !== sequence) throw new StreamError('CURSOR_UNKNOWN', { epoch: state.epoch, sequence: state.next - 1 });
  return { generation, sequence, isFinished: true };
}

/**
 * One reader of one stream: a cursor, not a queue [WATCH-4]. It keeps no fragments between two calls of `pull`, except those of a turn of
 * the log that has just been read. States, by what `pull` finds:
 * behind and in memory → runs out of the view; behind and not in memory → nothing, `isCold`: call `readLog` and pull again;
 * at the head → nothing; told `final` → `isFinished`, for good.
 */
export class Reader {
  private readonly options: ReaderOptions;
  private contentGeneration: number;
  private sequence: number;
  private isLostTold: boolean;
  private cold: ColdReader | null = null;
  private fetched: Run[] = [];
  isFinished: boolean;
  /** The next fragment is not in memory: `readLog` before the next pull. */
  isCold = false;

  constructor(options: ReaderOptions, place: Place) {
    this.options = { ...options };
    this.contentGeneration = place.generation;
    this.sequence = place.sequence;
    this.isFinished = place.isFinished;
    // The `stream` event said so already.
    this.isLostTold = options.entry.state.isLost;
  }

  /** Goes on at the same place, in the same stream as another replica has it. @param entry folded as far as anything that was told */
  moveTo(entry: StreamEntry): void {
    this.options.entry = entry;
    this.cold = null;
    this.fetched = [];
  }

  /** Goes on from an earlier place of the present content, which is then told again. Not while `readLog` is under way. */
  placeAt({ generation, sequence }: Place): void {
    this.startOver(generation);
    this.sequence = sequence;
  }

  /** Epoch that began the content it was told. */
  get generation(): number {
    return this.contentGeneration;
  }

  /** Last sequence told. */
  get at(): number {
    return this.sequence;
  }

  get isAtHead(): boolean {
    return this.sequence === this.options.entry.state.next - 1 && this.generation === generationOf(this.options.entry.state);
  }

  /** It was told more than the stream has: records were lost, and the stream was ended at what was left of it [OWN-5]. */
  get isBeyondEnd(): boolean {
    const { state } = this.options.entry;
    const generation = generationOf(state);
    return state.final !== null && (this.generation > generation || (this.generation === generation && this.sequence > state.next - 1));
  }

  /**
   * @param bytesMax of payload; one larger fragment is still told, alone
   * @param last no fragment above this sequence of the present content (credit); of `newest`: none at all from there on
   * @returns what is next, in order; empty at the head, without credit, or when `isCold`
   */
  pull(bytesMax: number, last: number): Told[] {
    this.isCold = false;
    if (this.isFinished) return [];
    const told: Told[] = [];
    const { state } = this.options.entry;
    const generation = generationOf(state);
    if (generation !== this.generation) {
      this.startOver(generation);
      // Alone: credit for what was counted in the old content says nothing about the new.
      return [{ kind: 'rewind', epoch: generation }];
    }
    if (this.isLostTold && !state.isLost) {
      this.isLostTold = false;
      if (state.final === null) told.push({ kind: 'resumed' });
    }
    const head = state.next - 1;
    // [WATCH-3] Credit is for what is sent: of `newest` one per lane, however many it supersedes. Else a reader that is slow would be shown
    // old values for ever.
    const limit = this.options.shape === 'newest' ? head : Math.min(head, last);
    if (this.sequence < Math.min(head, last)) this.pullRuns(bytesMax, limit, told);
    if (this.sequence !== head) return told;
    this.cold = null;
    if (state.final !== null) {
      this.isFinished = true;
      told.push({ kind: 'final', final: state.final });
    } else if (state.isLost && !this.isLostTold) {
      this.isLostTold = true;
      told.push({ kind: 'lost' });
    }
    return told;
  }

  /**
   * One turn of the log. @param isWanted asked when the turn comes
   * @throws StreamError CURSOR_EXPIRED, LOG_LOST, LOG_UNAVAILABLE
   */
  async readLog(bytesMax: number, isWanted: () => boolean): Promise<void> {
    const { entry, turns, onCold } = this.options;
    // A fold under way may be about to put it into the view: only what is still missing after it is worth a scan.
    await Promise.resolve();
    if (this.isInView() || generationOf(entry.state) !== this.generation) return;
    if (this.cold === null) {
      this.cold = new ColdReader(entry, this.generation, this.sequence, turns);
      onCold?.();
    }
    this.fetched = await this.cold.read(bytesMax, isWanted);
  }

  /** The transport does not take more: what would be kept meanwhile, and can be read again, is let go [WATCH-4]. */
  rest(): void {
    if (this.cold?.isHolding) this.cold = null;
  }

  private startOver(generation: number): void {
    this.contentGeneration = generation;
    this.sequence = 0;
    this.cold = null;
    this.fetched = [];
  }

  private isInView(): boolean {
    const { view } = this.options.entry;
    return this.sequence + 1 >= view.first && this.sequence + 1 < view.next;
  }

  private pullRuns(bytesMax: number, last: number, told: Told[]): void {
    const { entry, shape } = this.options;
    let runs = this.takeFetched(last);
    if (runs.length === 0) {
      const room = shape === 'newest' ? bytesMax * NEWEST_FACTOR : bytesMax;
      const inView = entry.view.read(this.sequence + 1, { bytesMax: room, last, isExact: shape !== 'bytes' });
      if (inView !== null) this.cold = null;
      this.isCold = inView === null;
      runs = inView ?? [];
    }
    if (shape === 'newest') runs = newestPerLane(runs);
    for (const run of runs) {
      told.push({ kind: 'fragments', run, generation: this.generation });
      this.sequence = run.last;
    }
  }

  /** What the last turn of the log gave, as far as credit goes; the rest waits for more credit. */
  private takeFetched(last: number): Run[] {
    const taken: Run[] = [];
    while (this.fetched.length > 0 && this.fetched[0]!.first <= last) {
      const run = this.fetched.shift()!;
      const [now, later] = splitRun(run, last);
      taken.push(now);
      if (later === null) continue;
      this.fetched.unshift(later);
      break;
    }
    return taken;
  }
}

/** @param run read exactly: one part per fragment */
function splitRun(run: Run, last: number): [Run, Run | null] {
  if (run.last <= last) return [run, null];
  const count = last - run.first + 1;
  const now = run.parts.slice(0, count);
  const bytes = now.reduce((sum, part) => sum + part.byteLength, 0);
  return [
    { ...run, last, parts: now, bytes },
    { ...run, first: last + 1, parts: run.parts.slice(count), bytes: run.bytes - bytes },
  ];
}
