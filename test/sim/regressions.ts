/** Seeds that once failed, and for what. They always run; a new one is added when it is found, before its cause is mended. */
export interface Regression { seed: number; what: string }

export const REGRESSIONS: readonly Regression[] = [
  { seed: 11, what: 'an ended stream whose value the log did not show yet was STREAM_NOT_FOUND' },
  { seed: 131, what: 'a cold reader took what the log did not show yet for lost' },
  { seed: 76, what: 'readers waited for ever when their stream was ended at less than they had' },
  { seed: 1782, what: 'an owner revoked in the middle of a batch published a replayFrom behind records it had not folded' },
  { seed: 37, what: 'readers were rewound to an attempt before theirs when their stream was ended at less than they had' },
];
