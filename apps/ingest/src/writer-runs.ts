import type { Route } from './append-entry';

/** Streams whose run is remembered; the one bound longest ago is forgotten first. Forgetting costs nothing but an early answer. */
const STREAMS_MAX = 50_000;

/**
 * [JUDGE-11] Which run of a producer this instance has made durable in an epoch. The judge alone decides who holds it; but whatever comes
 * behind such a record in its partition, from another run and the same epoch, is refused there for certain: so it can be answered here,
 * instead of an acknowledgement for what nobody will see. Another instance knows nothing of it, and there the log decides.
 */
export class WriterRuns {
  /** Oldest first. */
  private readonly bound = new Map<string, { epoch: number; run: string }>();

  constructor(private readonly streamsMax = STREAMS_MAX) {}

  isKnown({ streamNo, epoch }: Route): boolean {
    return this.bound.get(streamNo)?.epoch === epoch;
  }

  isRefused({ streamNo, epoch, run }: Route): boolean {
    const known = this.bound.get(streamNo);
    return run !== '' && known !== undefined && known.epoch === epoch && known.run !== run;
  }

  /** A record of this run is durable. */
  bind({ streamNo, epoch, run }: Route): void {
    const known = this.bound.get(streamNo);
    // The first of an epoch stands; an older epoch that becomes durable late binds nothing.
    if (run === '' || (known !== undefined && known.epoch >= epoch)) return;
    this.bound.delete(streamNo);
    this.bound.set(streamNo, { epoch, run });
    if (this.bound.size > this.streamsMax) this.bound.delete(this.bound.keys().next().value!);
  }
}
