/** Nothing shows more often than this, however fast a stream is, ms. */
const FRAME_MS = 16;
/** How long nobody may look before watching stops: React unmounts and mounts at once in strict mode, and when pages change, ms. */
const LINGER_MS = 100;

interface AudienceParts<Event> {
  watch: (signal: AbortSignal) => AsyncIterable<Event>;
  /** @returns whether it has to show at once */
  take: (event: Event) => boolean;
  /** Watching ended by this. */
  fail: (error: unknown) => void;
  /** Makes the state that those who look are shown next. */
  refresh: () => void;
  /** Nobody has looked for LINGER_MS, and watching has ended. */
  onLeft: () => void;
}

/** Those who look at what is watched here, from its making until the last has left, and how often they are told that it has changed. */
export class Audience<Event> {
  private readonly listeners = new Set<() => void>();
  private toldAt = -Infinity;
  private frame: ReturnType<typeof setTimeout> | null = null;
  private leaving: ReturnType<typeof setTimeout> | null = null;

  private readonly watching = new AbortController();

  constructor(private readonly parts: AudienceParts<Event>) {
    void this.watch();
  }

  /** @returns ends it */
  look(listener: () => void): () => void {
    // Each look is one of its own: the same function may be given twice.
    const own = (): void => listener();
    this.listeners.add(own);
    if (this.leaving !== null) clearTimeout(this.leaving);
    this.leaving = null;
    return () => {
      if (this.listeners.delete(own) && this.listeners.size === 0) this.leaving = setTimeout(() => this.leave(), LINGER_MS);
    };
  }

  private async watch(): Promise<void> {
    const { parts, watching: { signal } } = this;
    try {
      for await (const event of parts.watch(signal)) {
        if (parts.take(event)) this.tell();
        else this.tellSoon();
      }
    } catch (error) {
      if (signal.aborted) return;
      parts.fail(error);
      this.tell();
    }
  }

  /** What is first shows at once; what follows within a frame shows together. */
  private tellSoon(): void {
    if (this.frame !== null) return;
    const waitMs = this.toldAt + FRAME_MS - performance.now();
    if (waitMs <= 0) this.tell();
    else this.frame = setTimeout(() => this.tell(), waitMs);
  }

  private tell(): void {
    this.stopFrame();
    this.toldAt = performance.now();
    this.parts.refresh();
    for (const listener of [...this.listeners]) listener();
  }

  private leave(): void {
    this.stopFrame();
    this.watching.abort();
    this.parts.onLeft();
  }

  private stopFrame(): void {
    if (this.frame !== null) clearTimeout(this.frame);
    this.frame = null;
  }
}
