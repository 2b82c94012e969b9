import { decodeState } from '@rivulet/protocol';
import type { LifecycleValue, StreamState } from '@rivulet/protocol';

/**
 * The judge's state as a lifecycle value has it.
 * @throws Error when its checkpoint cannot be read [JUDGE-10]
 */
export function stateOf(value: LifecycleValue): StreamState {
  return value.checkpoint === undefined ? bareStateOf(value) : decodeState(value.checkpoint.state);
}

/** What the public part of a value says, as a state. For a final stream that is all there is: nothing after the end changes it. */
export function bareStateOf(value: LifecycleValue): StreamState {
  const { final } = value;
  return {
    streamNo: value.streamNo,
    open: value.open,
    openedAt: value.openedAt,
    openedOffset: value.openedOffset,
    status: final?.status ?? 'open',
    isLost: value.status === 'lost',
    isDeleted: value.status === 'deleted',
    epoch: value.epoch,
    numbering: 'undecided',
    next: value.sequence + 1,
    bytes: value.bytes,
    checksum: value.checksum,
    writerRun: value.writerRun ?? '',
    writers: [],
    held: [],
    heldBytes: 0,
    gapSince: null,
    pendingEnd: null,
    attempts: value.attempts,
    final,
    judgedAt: value.updatedAt,
    offset: final?.offset ?? value.version[1],
    activityOffset: value.openedOffset,
  };
}
