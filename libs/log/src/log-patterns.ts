/** What a controller of the app answers. The payload of the first two is `{ partition }`, of `batch` a LogBatch. */
export const LOG_PATTERNS = { assigned: 'partition.assigned', revoked: 'partition.revoked', batch: 'fragments' } as const;
