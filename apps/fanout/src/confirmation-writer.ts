import { compareCursors } from '@rivulet/protocol';
import type { Cursor } from '@rivulet/protocol';
import type { DeliveryMetrics } from './delivery-metrics';
import type { SessionCursors } from './session-cursors';

interface Writing {
  done: Promise<void>;
  /** The furthest cursor that came meanwhile, and the write that will carry it. */
  next: { cursor: Cursor; done: Promise<void> } | null;
}

/**
 * Confirmations on their way to the log. Of a session one is on the wire at a time, and those that come meanwhile become one, the
 * furthest: so however often sessions confirm, each costs one small record per round trip, and all of an instance leave together.
 */
export class ConfirmationWriter {
  private readonly writing = new Map<string, Writing>();

  constructor(private readonly cursors: SessionCursors, private readonly metrics: Pick<DeliveryMetrics, 'confirmed'>) {}

  /** Resolves when the cursor, or one beyond it, is durable. @throws StreamError OVERLOADED, LOG_UNAVAILABLE */
  write(partition: number, streamNo: string, session: string, cursor: Cursor): Promise<void> {
    const key = `${streamNo}/${session}`;
    const writing = this.writing.get(key);
    if (writing === undefined) return this.begin(partition, streamNo, session, cursor);
    const { next } = writing;
    if (next !== null) {
      if (compareCursors(cursor, next.cursor) > 0) next.cursor = cursor;
      return next.done;
    }
    const queued = { cursor, done: Promise.resolve() };
    // Whether the one before it was written is told to whoever waits for that.
    queued.done = writing.done.then(() => undefined, () => undefined).then(() => this.begin(partition, streamNo, session, queued.cursor));
    writing.next = queued;
    return queued.done;
  }

  private begin(partition: number, streamNo: string, session: string, cursor: Cursor): Promise<void> {
    const key = `${streamNo}/${session}`;
    const done = this.cursors.writeConfirmed(partition, streamNo, session, { cursor }).then(() => this.metrics.confirmed());
    const writing: Writing = { done, next: null };
    this.writing.set(key, writing);
    const settled = (): void => {
      if (writing.next === null) this.writing.delete(key);
    };
    done.then(settled, settled);
    return done;
  }
}
