import { StreamError } from '@rivulet/protocol';
import type { Principal } from './auth';
import type { Metrics } from './metrics';
import type { QuotaLimits, QuotaName, QuotaTable } from './quota-row';
import { TokenBucket } from './token-bucket';

/** Keys and streams whose rates are remembered, the longest unused dropped first: its bucket is full again, or soon is. */
const REMEMBERED_MAX = 10_000;
/** Label of keys that are not configured (any more): the metric has one series for all of them. */
const OTHER_KEY = 'other';

interface QuotaTold {
  refused: (quota: QuotaName) => void;
  waited: (quota: QuotaName, ms: number) => void;
}

/** What one key may still use here. Rates are of this process; open streams are counted by the allocator. */
export class KeyQuota {
  private readonly opens: TokenBucket | null;
  private readonly bytes: TokenBucket | null;
  private readonly fragments: TokenBucket | null;

  /** @param key '' for one stream whose key is not known */
  constructor(
    private readonly key: string, readonly limits: QuotaLimits, private readonly told: QuotaTold, now: () => number,
  ) {
    const bucket = (perSecond?: number): TokenBucket | null => (perSecond === undefined ? null : new TokenBucket(perSecond, now));
    this.opens = bucket(limits.opensPerSecond);
    this.bytes = bucket(limits.bytesPerSecond);
    this.fragments = bucket(limits.fragmentsPerSecond);
  }

  get isOfAppends(): boolean {
    return this.bytes !== null || this.fragments !== null;
  }

  /** [APPEND-13] @param openStreams of this key now @throws StreamError QUOTA_EXCEEDED */
  admitOpen(openStreams: number): void {
    const { openStreams: most } = this.limits;
    if (most !== undefined && openStreams >= most) throw this.exceeded('openStreams', 0);
    const waitMs = this.opens?.lackMs() ?? 0;
    if (waitMs > 0) throw this.exceeded('opensPerSecond', waitMs);
    this.opens?.spend(1);
  }

  /** [APPEND-13] For a single call. @throws StreamError QUOTA_EXCEEDED */
  admitAppend(bytes: number, fragments: number): void {
    const bytesMs = this.bytes?.lackMs() ?? 0;
    if (bytesMs > 0) throw this.exceeded('bytesPerSecond', bytesMs);
    const fragmentsMs = this.fragments?.lackMs() ?? 0;
    if (fragmentsMs > 0) throw this.exceeded('fragmentsPerSecond', fragmentsMs);
    this.bytes?.spend(bytes);
    this.fragments?.spend(fragments);
  }

  /** [APPEND-13] For a body that streams: it is slowed down, never refused. @returns ms to wait before this is appended */
  reserveAppend(bytes: number, fragments: number): number {
    const bytesMs = this.bytes?.reserve(bytes) ?? 0;
    const fragmentsMs = this.fragments?.reserve(fragments) ?? 0;
    const waitMs = Math.max(bytesMs, fragmentsMs);
    if (waitMs > 0) this.told.waited(bytesMs >= fragmentsMs ? 'bytesPerSecond' : 'fragmentsPerSecond', waitMs);
    return waitMs;
  }

  /** @param retryAfterMs 0: time alone does not help */
  private exceeded(quota: QuotaName, retryAfterMs: number): StreamError {
    this.told.refused(quota);
    const limit = this.limits[quota] ?? 0;
    const whose = this.key === '' ? 'The stream' : `The key ${this.key}`;
    const remedy = retryAfterMs > 0 ? 'Send more slowly, or as one streaming body, which is slowed down by itself.' : 'End or cancel one of them first.';
    return new StreamError('QUOTA_EXCEEDED', {
      quota, limit, ...(this.key === '' ? {} : { key: this.key }), ...(retryAfterMs > 0 ? { retryAfterMs } : {}),
      detail: `${whose} has used up its quota ${quota}=${limit}. ${remedy}`,
    });
  }
}

/** Quotas per API key, one of these per process [APPEND-13]. */
export class Quotas {
  /** Least recently used first. */
  private readonly remembered = new Map<string, KeyQuota>();
  /** Nothing is configured: callers skip the rest. */
  readonly isEmpty: boolean;
  /** Whether some key may have only so many open streams. */
  readonly countsOpenStreams: boolean;
  private readonly refused;
  private readonly waited;

  /** @param keyIds the configured keys: what a metric may be labelled with */
  constructor(
    private readonly table: QuotaTable, private readonly keyIds: ReadonlySet<string>, metrics: Metrics,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.isEmpty = table.keys.length === 0;
    this.countsOpenStreams = table.keys.some((key) => table.of(key)?.openStreams !== undefined);
    this.refused = metrics.counter('quota_refused_total', 'Calls refused QUOTA_EXCEEDED, by API key and quota.', ['key', 'quota']);
    this.waited = metrics.counter('quota_wait_seconds_total', 'Time that streaming bodies were held back for, by API key and quota.', ['key', 'quota']);
  }

  /** @returns null when the key is unlimited */
  of(key: string): KeyQuota | null {
    const limits = this.table.of(key);
    return limits && this.remember(`key ${key}`, key, limits);
  }

  /**
   * Whose rates an append counts for: of an API key itself; of a token the key that opened the stream. One that was minted before tokens
   * named it counts by stream.
   * @returns null when appends are unlimited
   */
  ofWriter(principal: Principal, streamNo: string): KeyQuota | null {
    const { claims, id } = principal;
    const quota = claims && claims.by === undefined ? this.ofStream(streamNo) : this.of(claims?.by ?? id);
    return quota?.isOfAppends ? quota : null;
  }

  private ofStream(streamNo: string): KeyQuota | null {
    const limits = this.table.of('');
    return limits && this.remember(`stream ${streamNo}`, '', limits);
  }

  private remember(name: string, key: string, limits: QuotaLimits): KeyQuota {
    let quota = this.remembered.get(name);
    if (quota) this.remembered.delete(name);
    else quota = new KeyQuota(key, limits, this.toldOf(this.keyIds.has(key) ? key : OTHER_KEY), this.now);
    this.remembered.set(name, quota);
    if (this.remembered.size > REMEMBERED_MAX) this.remembered.delete(this.remembered.keys().next().value as string);
    return quota;
  }

  private toldOf(key: string): QuotaTold {
    return {
      refused: (quota) => this.refused.inc({ key, quota }),
      waited: (quota, ms) => this.waited.inc({ key, quota }, ms / 1_000),
    };
  }
}
