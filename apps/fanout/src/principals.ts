import type { Principal } from '@rivulet/service';

/** Credentials of one socket, the oldest forgotten first: one per stream is usual. */
const PRINCIPALS_MAX = 256;
/** Longest time a timer of Node takes, ms. */
const TIMER_MS_MAX = 2_147_483_647;

const expiresAt = ({ claims }: Principal): number => (claims === undefined ? Infinity : claims.exp * 1_000);

/** Whoever a socket has shown to be, the newest first. A token is in it until it expires [WATCH-13]. */
export class Principals {
  private valid: Principal[] = [];
  private timer: NodeJS.Timeout | null = null;

  /** @param onExpired one of them is not valid any more */
  constructor(private readonly onExpired: () => void) {}

  get all(): readonly Principal[] {
    return this.valid;
  }

  accept(principal: Principal): void {
    this.valid = [principal, ...this.valid].slice(0, PRINCIPALS_MAX);
    this.arm();
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private arm(): void {
    this.stop();
    const next = Math.min(...this.valid.map(expiresAt));
    if (next !== Infinity) this.timer = setTimeout(() => this.expire(), Math.min(TIMER_MS_MAX, Math.max(0, next - Date.now())));
  }

  private expire(): void {
    const before = this.valid.length;
    this.valid = this.valid.filter((principal) => expiresAt(principal) > Date.now());
    this.arm();
    if (this.valid.length < before) this.onExpired();
  }
}
