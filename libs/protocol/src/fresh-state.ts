import type { OpenFacts, StreamState } from './state';

/** @returns the state exactly after a stream's `open`. */
export function freshState(streamNo: string, open: OpenFacts, openedAt: number, openedOffset: number): StreamState {
  return {
    streamNo,
    open,
    openedAt,
    openedOffset,
    status: 'open',
    isLost: false,
    isDeleted: false,
    epoch: 1,
    numbering: 'undecided',
    next: 1,
    bytes: 0,
    checksum: 0,
    writerRun: '',
    writers: [],
    held: [],
    heldBytes: 0,
    gapSince: null,
    pendingEnd: null,
    attempts: [
      { epoch: 1, attemptId: '', firstSequence: 1, keep: 'all', reason: '', outcome: null, startedAt: openedAt },
    ],
    final: null,
    judgedAt: openedAt,
    offset: openedOffset,
    activityOffset: openedOffset,
  };
}
