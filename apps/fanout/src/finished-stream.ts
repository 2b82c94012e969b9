/**
 * An ended stream that nobody watches: one small map entry. All else is in its lifecycle value, read back by offset when somebody asks.
 */
export class FinishedStream {
  constructor(
    /** Where its newest lifecycle value is. */
    public lifecycleOffset: number,
    /** Records up to here are in that value: a replay skips them. */
    readonly foldedTo: number,
    /** Wall clock, ms: when its retention ends. */
    readonly deleteAt: number,
    /** A `deleted` value is written; only the tombstone is missing [OWN-4]. */
    readonly isDeleted: boolean,
    /** '' when none. */
    readonly channel: string,
  ) {}
}
