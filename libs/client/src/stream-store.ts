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
  private readonly audience: Audience<ReaderEvent>;

  constructor({ watch, lane, onLeft }: StoreParts) {
    const picture = new StreamPicture(lane);
    this.picture = picture;
    this.audience = new Audience({
      watch, onLeft, take: (event) => picture.take(event), fail: (error) => picture.fail(error), refresh: () => picture.refresh(),
    });
  }

  get current(): StreamSnapshot {
    return this.picture.current;
  }

  /** @returns ends it */
  look(listener: () => void): () => void {
    return this.audience.look(listener);
  }
}
