import { decodeRecord, heldOffsets, restoreHeld } from '@rivulet/protocol';
import type { StreamState } from '@rivulet/protocol';
import type { Bounds } from '@rivulet/log';
import { recordWithin } from './log-place';
import type { LogPlace } from './log-place';

/**
 * A checkpoint lists held fragments by (sequence, offset) only [OWN-3]: their bytes are read back from the records they came in.
 * @param bounds of the log, as they were when its streams were checked
 * @returns why it failed, or null
 * @throws StreamError LOG_UNAVAILABLE when the log does not show the records now
 */
export async function rereadHeld(place: LogPlace, bounds: Bounds, state: StreamState): Promise<string | null> {
  for (const offset of heldOffsets(state)) {
    const record = offset < bounds.start || offset >= bounds.end ? null : await recordWithin(place, offset);
    if (record === null || record.key !== state.streamNo || record.value === null) {
      return `the record at ${offset}, which it holds fragments of, is gone`;
    }
    // Copied: what is held outlives the read by far.
    const append = decodeRecord(Buffer.from(record.value));
    if (append.kind === 'append') restoreHeld(state, append, offset);
  }
  const missing = state.held.find((fragment) => fragment.payload === null);
  return missing === undefined ? null : `fragment ${missing.sequence}, which it holds, is not in the record at ${missing.offset}`;
}
