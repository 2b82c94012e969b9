import type { ReaderEvent } from '@rivulet/protocol';
import { Audience } from './audience';
import { StreamPicture } from './stream-picture';
import type { StreamSnapshot } from './stream-picture';

interface StoreParts {
  watch: (signal: AbortSignal) => AsyncIterable<ReaderEvent>;
  /** Only what is in this lane; '' is what is in none. Absent: everything. */
  lane?: string;
  onLeft: () => void;
}

/**
 * One stream for any number of components: one connection, from the first who looks until the last has left. It only watches: nothing
 * here can end the stream [WATCH-8].
 */
export class StreamStore {
  private readonly picture: StreamPicture;
  private readonly audience: Audience;
  private readonly watching = new AbortController();

  constructor(private readonly parts: StoreParts) {
    this.picture = new StreamPicture(parts.lane);
    this.audience = new Audience({ refresh: () => this.picture.refresh(), onLeft: () => this.leave() });
    void this.watch();
  }

  get current(): StreamSnapshot {
    return this.picture.current;
  }

  /** @returns ends it */
  look(listener: () => void): () => void {
    return this.audience.look(listener);
  }

  private leave(): void {
    this.watching.abort();
    this.parts.onLeft();
  }

  private async watch(): Promise<void> {
    const { signal } = this.watching;
    try {
      for await (const event of this.parts.watch(signal)) {
        if (this.picture.take(event)) this.audience.tell();
        else this.audience.tellSoon();
      }
    } catch (error) {
      if (signal.aborted) return;
      this.picture.fail(error);
      this.audience.tell();
    }
  }
}
