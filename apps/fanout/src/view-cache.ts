import { StreamView } from './stream-view';
import type { ViewAccount } from './stream-view';

export interface ViewCacheOptions {
  /** Cap over all views of the instance, bytes. */
  bytesMax: number;
  /** Called for each stretch of a view that is dropped for want of room. */
  onEvict?: () => void;
}

/** The part of the cap that one stream may take: a file in passing must not drive out what many small streams are resumed from. */
const STREAM_SHARE = 1 / 4;

/**
 * One byte cap over the views of all streams. Above it the stream watched least recently loses its oldest stretch, at any time, also the
 * head of a stream being watched: memory is a setting, and what is dropped is read back from the log. A stream above its own share loses
 * its own oldest stretch.
 */
export class ViewCache implements ViewAccount {
  /** Views that hold something, least recently watched first. A new one counts as just watched: whoever opened it is about to. */
  private readonly order = new Set<StreamView>();
  private newest: StreamView | null = null;
  private total = 0;

  constructor(private readonly options: ViewCacheOptions) {}

  /** Bytes held, with the memory around the payloads. */
  get bytes(): number {
    return this.total;
  }

  create(streamNo: string): StreamView {
    return new StreamView(streamNo, this);
  }

  grew(view: StreamView, cost: number): void {
    this.total += cost;
    if (!this.order.has(view)) this.moveToNewest(view);
    while (view.cost > this.options.bytesMax * STREAM_SHARE) this.evict(view);
    while (this.total > this.options.bytesMax && this.order.size > 0) this.evictOldest();
  }

  shrank(view: StreamView, cost: number): void {
    this.total -= cost;
    if (view.cost > 0) return;
    this.order.delete(view);
    if (this.newest === view) this.newest = null;
  }

  watched(view: StreamView): void {
    if (this.newest !== view && this.order.has(view)) this.moveToNewest(view);
  }

  private moveToNewest(view: StreamView): void {
    this.order.delete(view);
    this.order.add(view);
    this.newest = view;
  }

  private evictOldest(): void {
    for (const oldest of this.order) return this.evict(oldest);
  }

  private evict(view: StreamView): void {
    view.evict();
    this.options.onEvict?.();
  }
}
