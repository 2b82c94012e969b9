import { StreamError } from '@rivulet/protocol';
import type { LifecycleEntries, KnownStream } from './lifecycle-entries';

interface Wait {
  decide: (stream: KnownStream) => unknown;
  settle: (decision: unknown) => void;
}

/** Calls that wait until the lifecycle of a stream shows what they asked for. Bounded in number and in time. */
export class VerdictWaits {
  private readonly waits = new Map<string, Set<Wait>>();
  private count = 0;
  private readonly unsubscribe: () => void;

  constructor(private readonly entries: LifecycleEntries, private readonly waitsMax: number) {
    this.unsubscribe = entries.onChange((entry, streamNo) => {
      const { stream } = entry ?? {};
      if (stream) this.look(streamNo, stream);
    });
  }

  get waiting(): number {
    return this.count;
  }

  /** @returns whether what is known here of a partition is, within the time, at least what anybody had seen of it before the call */
  async current(partition: number, deadlineMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), deadlineMs)));
    return Promise.race([this.entries.current(partition).then(() => true), late]).finally(() => clearTimeout(timer));
  }

  /**
   * @param decide called with what is known now and after each change; anything but undefined is the decision
   * @returns the decision, or null at the deadline
   * @throws StreamError OVERLOADED; whatever `decide` throws
   */
  async until<D>(streamNo: string, deadlineMs: number, decide: (stream: KnownStream) => D | undefined): Promise<D | null> {
    const known = await this.entries.stream(streamNo);
    const decided = known && decide(known);
    if (decided !== undefined) return decided;
    if (this.count >= this.waitsMax) throw new StreamError('OVERLOADED', { retryAfterMs: 1_000 });
    return new Promise<D | null>((resolve, reject) => {
      const settle = (end: () => void): void => {
        clearTimeout(timer);
        this.remove(streamNo, wait);
        end();
      };
      const wait: Wait = {
        decide: (stream) => {
          try {
            return decide(stream);
          } catch (error) {
            settle(() => reject(error as Error));
            return undefined;
          }
        },
        settle: (decision) => settle(() => resolve(decision as D)),
      };
      const timer = setTimeout(() => settle(() => resolve(null)), deadlineMs);
      this.add(streamNo, wait);
      // A change between the look above and this line would have been missed.
      const now = this.entries.whole(streamNo);
      if (now) this.look(streamNo, now);
    });
  }

  close(): void {
    this.unsubscribe();
  }

  private look(streamNo: string, stream: KnownStream): void {
    for (const wait of [...(this.waits.get(streamNo) ?? [])]) {
      const decision = wait.decide(stream);
      if (decision !== undefined) wait.settle(decision);
    }
  }

  private add(streamNo: string, wait: Wait): void {
    const ofStream = this.waits.get(streamNo) ?? new Set();
    this.waits.set(streamNo, ofStream.add(wait));
    this.count += 1;
  }

  private remove(streamNo: string, wait: Wait): void {
    const ofStream = this.waits.get(streamNo);
    if (!ofStream?.delete(wait)) return;
    this.count -= 1;
    if (ofStream.size === 0) this.waits.delete(streamNo);
  }
}
