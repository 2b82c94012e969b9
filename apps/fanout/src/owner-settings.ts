/** Settings of ownership; the config table has a row for those an operator may change. */
export interface OwnerSettings {
  /** What a new owner of a partition may have to replay, bytes [OWN-3]. */
  replayBytesMax: number;
  /** Coarse tick of all clocks of an instance, ms. */
  tickMs: number;
  /** While streams are open and nothing arrives, how often the log is asked whether all of it was seen, ms. */
  proofMs: number;
  /** A standstill longer than this is an outage: clocks restart full [OWN-6], ms. */
  pauseMsMax: number;
  /** How often ended streams are looked through for those whose retention is over, ms. */
  sweepMs: number;
  /** A stream is checkpointed when its replay would start further back than this, ms. */
  checkpointAgeMsMax: number;
  /** `#owner` is rewritten at least this often while replayFrom moves, ms. */
  ownerMsMax: number;
  /** A partition that others own is folded here for so long after its last reader, ms. */
  followIdleMs: number;
  /** When a write that the log does not take is given up (and tried anew), ms. */
  appendMsMax: number;
}

export const OWNER_SETTINGS: Readonly<OwnerSettings> = {
  replayBytesMax: 8 * 1024 * 1024,
  tickMs: 250,
  proofMs: 1_000,
  pauseMsMax: 3_000,
  sweepMs: 1_000,
  checkpointAgeMsMax: 3_600_000,
  ownerMsMax: 60_000,
  followIdleMs: 60_000,
  appendMsMax: 10_000,
};
