import { parseStreamNo } from '@rivulet/protocol';
import type { LifecycleValue, PublicStatus, StreamState } from '@rivulet/protocol';
import { anchorsOf } from './anchors';
import type { Anchor } from './anchors';
import { damage } from './damage';
import type { Damage } from './damage';
import { batchesOf, lifecycleOf } from './log-access';
import type { OpenedLog } from './log-access';
import { prove } from './prove';
import { Refold } from './refold';

export interface VerifyOptions {
  isEverywhere: boolean;
  onProgress?(done: number, total: number): void;
}

export interface Verified {
  streamNo: string;
  partition: number;
  /** Offsets of its first and last record, and how many there are. */
  first: number;
  last: number;
  records: number;
  duplicates: number;
  refused: number;
  status: PublicStatus | 'unknown';
  epoch: number;
  sequence: number;
  bytes: number;
  checksum: number;
  /** SHA-256 of the content as it is, '' when its beginning is gone. */
  digest: string;
  /** What the producer sealed; '' when it did not. */
  sealed: string;
  damages: Damage[];
}

/**
 * Refolds a stream from the log, and holds it against lifecycle, checksum and digest. Nothing is written.
 * @throws StreamError LOG_UNAVAILABLE
 */
export async function verify(opened: OpenedLog, streamNo: string, partition: number, options: VerifyOptions): Promise<Verified> {
  const { log, topics } = opened;
  const lifecycle = await lifecycleOf(opened, streamNo, partition);
  const { start, end } = await log.bounds(topics.fragments, partition);
  const damages: Damage[] = lifecycle.unreadableAt.map((offset) => damage('LIFECYCLE_UNREADABLE', offset, offset, `The lifecycle value at offset ${offset} of ${topics.lifecycle} cannot be read.`));
  const anchor = beginOf(lifecycle.value, start, damages);
  const from = Math.min(end, anchor ? anchor.offset + 1 : Math.max(start, lifecycle.value?.openedOffset ?? start));
  const { final = null, status } = lifecycle.value ?? {};
  // What comes behind the end changes nothing but the removal; a partition may hold a week of others.
  const until = final === null || status === 'deleted' || options.isEverywhere ? end : Math.min(end, final.offset + 1);
  const stretch = { topic: topics.fragments, partition, from, until, isChecked: true };
  const refold = new Refold(streamNo, lifecycle.value, anchor);
  for await (const batch of batchesOf(log, stretch, (offset) => options.onProgress?.(offset - from, until - from))) refold.take(batch);
  refold.finish(until);
  const isUnknown = refold.state === undefined && lifecycle.value === null;
  if (isUnknown) damages.push(unknown(refold, partition, lifecycle.isRemoved, { start, end }));
  else damages.push(...await proved(refold, (found, sealed) => prove(log, stretch, streamNo, found, sealed)));
  if (options.isEverywhere) damages.push(...await strays(opened, streamNo, partition));
  const { state } = refold;
  // Damage of the records explains whatever else does not fit.
  const isSound = refold.damages.length === 0 && !isUnknown;
  if (lifecycle.value && isSound) damages.push(...differencesOf(lifecycle.value, state));
  if (isSound && isSealedOtherwise(refold)) {
    damages.push(damage('DIGEST_DIFFERS', refold.first, refold.last, `The content has the SHA-256 ${refold.digest}, and its producer sealed ${refold.sealed}.`));
  }
  return { streamNo, partition, ...factsOf(refold), damages };
}

function unknown({ damages }: Refold, partition: number, isRemoved: boolean, { start, end }: { start: number; end: number }): Damage {
  // What looks like an altered key of a stream that does not exist is the right key, and ours is misspelt.
  const near = damages.find(({ code }) => code === 'KEY_ALTERED');
  const more = near ? ` ${near.what}` : isRemoved ? ' It was removed.' : '';
  return damage('STREAM_UNKNOWN', start, end - 1, `Partition ${partition} has neither an open nor a lifecycle value of this stream.${more}`);
}

/** Where the fold begins: with the open, or at the first position behind what retention has removed. */
function beginOf(value: LifecycleValue | null, start: number, damages: Damage[]): Anchor | null {
  if (value === null || value.openedOffset >= start) return null;
  const anchor = anchorsOf(value).find(({ position, offset }) => position !== undefined && offset + 1 >= start) ?? null;
  const what = `The log begins at offset ${start}, behind the open of this stream at ${value.openedOffset}${anchor ? `; what follows fragment ${anchor.next - 1} was verified` : '; nothing of it can be verified'}.`;
  damages.push(damage('BEGINNING_GONE', value.openedOffset, start - 1, what));
  return anchor;
}

/** The digest decides between suspects only if it covers all, and only one thing is wrong. */
async function proved(refold: Refold, proof: (found: Damage, sealed: string) => Promise<Damage>): Promise<Damage[]> {
  const altered = refold.damages.filter(({ code }) => code === 'CONTENT_ALTERED');
  const decides = refold.damages.length === 1 && refold.isFromOpen && /^[0-9a-f]{64}$/.test(refold.sealed) ? refold.sealed : '';
  return Promise.all(refold.damages.map((found) => (altered.includes(found) && found.suspects?.length ? proof(found, decides) : found)));
}

const isSealedOtherwise = ({ state, sealed, digest }: Refold): boolean => state?.final?.status === 'ended' && sealed !== '' && digest !== '' && digest !== sealed;

/** Whether a producer is alive is advice [JUDGE-1]: beats are not read here. */
const statusOf = (status: PublicStatus): PublicStatus => (status === 'lost' ? 'open' : status);

function differencesOf(value: LifecycleValue, state: StreamState | undefined): Damage[] {
  // What came after this value was published is not in it yet.
  if (state === undefined || (!value.final && state.offset > value.version[1])) return [];
  const found = { status: state.isDeleted ? 'deleted' : state.status, reason: state.final?.reason ?? '', epoch: state.epoch, attempts: state.attempts.length };
  const wanted = { status: statusOf(value.status), reason: value.final?.reason ?? '', epoch: value.epoch, attempts: value.attempts.length };
  const names = (Object.keys(wanted) as (keyof typeof wanted)[]).filter((name) => found[name] !== wanted[name]);
  if (names.length === 0) return [];
  const text = names.map((name) => `${name} ${found[name] || 'none'} in the log, ${wanted[name] || 'none'} in lifecycle`).join('; ');
  return [damage('LIFECYCLE_DIFFERS', state.openedOffset, state.offset, `They do not agree: ${text}.`)];
}

/** Records under this key where none may be. */
async function strays({ log, topics }: OpenedLog, streamNo: string, partition: number): Promise<Damage[]> {
  const found: Damage[] = [];
  const count = await log.partitions(topics.fragments);
  for (let other = 0; other < count; other += 1) {
    if (other === partition) continue;
    const { start, end } = await log.bounds(topics.fragments, other);
    for await (const { records } of batchesOf(log, { topic: topics.fragments, partition: other, from: start, until: end })) {
      for (const { key, offset } of records) {
        if (key === streamNo) found.push(damage('WRONG_PARTITION', offset, offset, `Partition ${other} has a record under this streamNo at offset ${offset}; it names partition ${parseStreamNo(streamNo)?.partition}.`));
      }
    }
  }
  return found;
}

function factsOf({ state, records, duplicates, refused, first, last, digest, sealed }: Refold): Omit<Verified, 'streamNo' | 'partition' | 'damages'> {
  return {
    first, last, records, duplicates, refused, digest, sealed,
    status: state === undefined ? 'unknown' : state.isDeleted ? 'deleted' : state.status,
    epoch: state?.epoch ?? 0, sequence: (state?.next ?? 1) - 1, bytes: state?.bytes ?? 0, checksum: state?.checksum ?? 0,
  };
}
