import type { FragmentIn } from '@rivulet/protocol';

export interface WindowOptions {
  /** Sequence of the first fragment. */
  firstSequence: number;
  /** Fragments beyond the contiguous acknowledged prefix: heldFragmentsMax of the stream [APPEND-2]. */
  fragmentsMax: number;
  /** Bytes beyond the same prefix: heldBytesMax of the stream. */
  bytesMax: number;
  /** Bounds of one POST. */
  postFragmentsMax: number;
  postBytesMax: number;
  /** POSTs under way at once. What waits meanwhile leaves together: the round trip is the linger. */
  inFlightMax: number;
  /** Appends one body; resends by itself what may be resent. A rejection is final. */
  post(body: PostBody): Promise<unknown>;
  onFailure(error: unknown): void;
}

/** JSON of one or more fragments, or the bytes of one, which are not worth their base64. */
export type PostBody = string | { sequence: number; bytes: Uint8Array };

interface Fragment {
  sequence: number;
  body: PostBody;
  bytes: number;
  /** Bytes of the stream up to and including this fragment. */
  endByte: number;
}
interface Waiter {
  sequence: number;
  endByte: number;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Fragments between write() and their acknowledgement. Acknowledged POSTs free only the contiguous prefix, and nothing above
 * prefix + fragmentsMax is sent, so that the judge can always hold what overtook a lost one [APPEND-2] [JUDGE-5].
 */
export class AppendWindow {
  /** Everything up to this sequence is acknowledged. */
  acknowledged: number;
  acknowledgedBytes = 0;
  private assigned: number;
  private readonly waiting: Fragment[] = [];
  private readonly inFlight = new Set<Fragment[]>();
  /** Acknowledged, by sequence; those above something unacknowledged stay until the prefix reaches them. */
  private readonly islands = new Map<number, Fragment>();
  private pushedBytes = 0;
  private blocked: Waiter[] = [];
  private flushing: Waiter[] = [];
  private failure: { error: unknown } | null = null;

  constructor(private readonly options: WindowOptions) {
    this.assigned = this.acknowledged = options.firstSequence - 1;
  }

  /** Last sequence given to a fragment. */
  get lastSequence(): number {
    return this.assigned;
  }

  /**
   * Takes a fragment, or the bytes of one, which must not change any more.
   * @returns when it is inside the window (not: acknowledged).
   */
  push(fragment: Omit<FragmentIn, 'seq'> | Uint8Array, bytes: number): Promise<void> {
    if (this.failure) return Promise.reject(this.failure.error);
    const sequence = ++this.assigned;
    const endByte = (this.pushedBytes += bytes);
    const body = fragment instanceof Uint8Array ? { sequence, bytes: fragment } : JSON.stringify({ seq: sequence, ...fragment });
    this.waiting.push({ sequence, bytes, endByte, body });
    const room = this.fits({ sequence, endByte }) ? Promise.resolve() : this.wait(this.blocked);
    this.fill();
    return room;
  }

  /** @returns when everything pushed so far is acknowledged. */
  flush(): Promise<void> {
    if (this.failure) return Promise.reject(this.failure.error);
    return this.acknowledged >= this.assigned ? Promise.resolve() : this.wait(this.flushing);
  }

  /** Ends the window: whatever waits is rejected. */
  fail(error: unknown): void {
    if (this.failure) return;
    this.failure = { error };
    const waiters = [...this.blocked, ...this.flushing];
    this.blocked = [];
    this.flushing = [];
    this.waiting.length = 0;
    for (const waiter of waiters) waiter.reject(error);
    this.options.onFailure(error);
  }

  private fits({ sequence, endByte }: { sequence: number; endByte: number }): boolean {
    if (sequence === this.acknowledged + 1) return true;
    return sequence <= this.acknowledged + this.options.fragmentsMax && endByte <= this.acknowledgedBytes + this.options.bytesMax;
  }

  private fill(): void {
    while (!this.failure && this.inFlight.size < this.options.inFlightMax) {
      const pack = this.takePack();
      if (pack.length === 0) return;
      this.inFlight.add(pack);
      this.send(pack).catch((error: unknown) => this.fail(error));
    }
  }

  /** What waits, in order, as far as the window and the bounds of one POST reach. */
  private takePack(): Fragment[] {
    let bytes = 0;
    let count = 0;
    for (const fragment of this.waiting) {
      const isAlone = typeof fragment.body !== 'string';
      const isFull = count >= this.options.postFragmentsMax || bytes + fragment.bytes > this.options.postBytesMax;
      if ((count > 0 && (isAlone || isFull)) || !this.fits(fragment)) break;
      bytes += fragment.bytes;
      count += 1;
      if (isAlone) break;
    }
    return this.waiting.splice(0, count);
  }

  private async send(pack: Fragment[]): Promise<void> {
    const only = pack.length === 1 ? pack[0] : undefined;
    await this.options.post(only ? only.body : `{"fragments":[${pack.map(({ body }) => body as string).join(',')}]}`);
    this.inFlight.delete(pack);
    for (const fragment of pack) this.islands.set(fragment.sequence, fragment);
    this.free();
    this.fill();
  }

  private free(): void {
    for (let next = this.islands.get(this.acknowledged + 1); next !== undefined; next = this.islands.get(this.acknowledged + 1)) {
      this.islands.delete(next.sequence);
      this.acknowledged = next.sequence;
      this.acknowledgedBytes = next.endByte;
    }
    this.blocked = release(this.blocked, (waiter) => this.fits(waiter));
    this.flushing = release(this.flushing, (waiter) => waiter.sequence <= this.acknowledged);
  }

  private wait(list: Waiter[]): Promise<void> {
    return new Promise((resolve, reject) => list.push({ resolve, reject, sequence: this.assigned, endByte: this.pushedBytes }));
  }
}

/** Resolves the waiters whose time has come. @returns the others. */
function release(waiters: Waiter[], isDone: (waiter: Waiter) => boolean): Waiter[] {
  const rest: Waiter[] = [];
  for (const waiter of waiters) {
    if (isDone(waiter)) waiter.resolve();
    else rest.push(waiter);
  }
  return rest;
}
