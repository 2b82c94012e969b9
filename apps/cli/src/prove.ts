import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { decodeRecord, judge } from '@rivulet/protocol';
import type { LogRecord, StreamState } from '@rivulet/protocol';
import type { Log, StoredRecord } from '@rivulet/log';
import type { Damage, Suspect } from './damage';
import { batchesOf } from './log-access';
import type { Stretch } from './log-access';

/**
 * Reads the content once more with each suspected byte put back, and compares with the SHA-256 that the producer sealed. The right one is
 * thereby proved; when none fits, more than one byte was altered, and nobody is suspected any longer.
 * @param sealed '' when there is none, or when it cannot decide: then the suspects stay what they are
 */
export async function prove(log: Log, stretch: Stretch, streamNo: string, found: Damage, sealed: string): Promise<Damage> {
  const tries = (found.suspects ?? []).map((suspect) => ({ suspect: { ...suspect }, hash: createHash('sha256') }));
  let state: StreamState | undefined;
  const fold = (record: StoredRecord): void => {
    const judged = judge(state, streamNo, decodedOrBeat(record), record.offset, record.timestamp, crc32);
    state = judged.state;
    for (const effect of judged.effects) {
      if (effect.kind === 'attempt' && effect.keep === 'none') for (const one of tries) one.hash = createHash('sha256');
      if (effect.kind !== 'fragments') continue;
      effect.payloads.forEach((payload, index) => {
        for (const { suspect, hash } of tries) hash.update(mended(payload, effect.firstSequence + index, suspect));
      });
    }
  };
  for await (const { records } of batchesOf(log, stretch)) for (const record of records) if (record.key === streamNo) fold(record);
  const suspects = tries.map(({ suspect, hash }) => ({ ...suspect, isProved: sealed !== '' && hash.digest('hex') === sealed }));
  const proved = suspects.filter(({ isProved }) => isProved);
  if (sealed !== '' && proved.length === 0) return { ...found, suspects: [], what: `${found.what} More than one byte was altered.` };
  return narrowed({ ...found, suspects: proved.length > 0 ? proved : suspects });
}

/** One suspect is the place; of several, the stretch they lie in. */
function narrowed(found: Damage): Damage {
  const offsets = (found.suspects ?? []).map(({ offset }) => offset);
  return offsets.length === 0 ? found : { ...found, fromOffset: Math.min(...offsets), toOffset: Math.max(...offsets) };
}

/** @returns the payload with the suspected byte put back */
function mended(payload: Uint8Array, sequence: number, suspect: Suspect): Uint8Array {
  const found = payload[suspect.byte];
  if (sequence !== suspect.sequence || found === undefined) return payload;
  suspect.found = found;
  suspect.original = found ^ suspect.difference;
  const copy = Uint8Array.from(payload);
  copy[suspect.byte] = suspect.original;
  return copy;
}

/** What cannot be decoded changes nothing, as a beat. */
function decodedOrBeat({ value }: StoredRecord): LogRecord {
  try {
    return decodeRecord(Buffer.from(value ?? []));
  } catch {
    return { kind: 'beat', streams: [] };
  }
}
