import { decodeRecord, heldOffsets, restoreHeld } from '@rivulet/protocol';
import type { StreamState } from '@rivulet/protocol';
import { recordAt } from './log-place';
import type { LogPlace } from './log-place';

/**
 * A checkpoint lists held fragments by (sequence, offset) only [OWN-3]: their bytes are read back from the records they came in.
 * @returns why it failed, or null
 */
export async function rereadHeld(place: LogPlace, state: StreamState): Promise<string | null> {
  for (const offset of heldOffsets(state)) {
    const record = await recordAt(place, offset);
    if (record === undefined || record.key !== state.streamNo || record.value === null) {
      return `the record at ${offset}, which it holds fragments of, is gone`;
    }
    // Copied: what is held outlives the read by far.
    const append = decodeRecord(Buffer.from(record.value));
    if (append.kind === 'append') restoreHeld(state, append, offset);
  }
  const missing = state.held.find((fragment) => fragment.payload === null);
  return missing === undefined ? null : `fragment ${missing.sequence}, which it holds, is not in the record at ${missing.offset}`;
}
