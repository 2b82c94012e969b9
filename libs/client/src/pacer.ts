/**
 * Merges what arrives within a tick, so that an answer reads at a steady pace and costs one fragment per tick; the first goes at once
 * [APPEND-10].
 */
export class Pacer {
  private parts: (string | Uint8Array)[] = [];
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly intervalMs: number,
    private readonly emit: (part: string | Uint8Array) => void,
  ) {}

  /** All parts of one pacer are of one kind: a stream is text or bytes. */
  push(part: string | Uint8Array): void {
    this.parts.push(part);
    if (this.timer === null) this.tick();
  }

  /** Emits what waits now. */
  flush(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.take();
  }

  private tick(): void {
    this.timer = null;
    if (this.take()) this.timer = setTimeout(() => this.tick(), this.intervalMs);
  }

  private take(): boolean {
    const parts = this.parts;
    if (parts.length === 0) return false;
    this.parts = [];
    this.emit(typeof parts[0] === 'string' ? parts.join('') : joinBytes(parts as Uint8Array[]));
    return true;
  }
}

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
