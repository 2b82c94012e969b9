import type { LifecycleValue, Position, StreamState } from '@rivulet/protocol';

/** What lifecycle says a stream was exactly after an offset: the fold of an owner, written down while it was live. */
export interface Anchor {
  source: 'position' | 'checkpoint' | 'lifecycle' | 'final';
  offset: number;
  epoch: number;
  next: number;
  bytes: number;
  checksum: number;
  /** With a position the fold can go on from here as if nothing were wrong before. */
  position?: Position;
}

/** All that lifecycle has of a stream, ascending by offset. */
export function anchorsOf(value: LifecycleValue): Anchor[] {
  const anchors: Anchor[] = value.positions.map((position) => ({ source: 'position', ...facts(position), next: position.next, position }));
  const state = value.checkpoint?.state as StreamState | undefined;
  if (value.checkpoint && state && Number.isSafeInteger(state.next)) {
    anchors.push({ source: 'checkpoint', ...facts(state), offset: value.checkpoint.offset, next: state.next });
  }
  if (value.final) anchors.push({ source: 'final', ...facts(value.final), next: value.final.sequence + 1 });
  else anchors.push({ source: 'lifecycle', ...facts(value), offset: value.version[1], next: value.sequence + 1 });
  return anchors.sort((a, b) => a.offset - b.offset);
}

const facts = (of: { offset?: number; epoch: number; bytes: number; checksum: number }) =>
  ({ offset: of.offset ?? -1, epoch: of.epoch, bytes: of.bytes, checksum: of.checksum });

export interface Difference { field: 'epoch' | 'next' | 'bytes' | 'checksum'; wanted: number; found: number }

/** @returns the first thing that differs, from the coarsest to the finest; null when the fold agrees */
export function differenceAt(anchor: Pick<Anchor, Difference['field']>, state: Pick<StreamState, Difference['field']> | undefined): Difference | null {
  for (const field of ['epoch', 'next', 'bytes', 'checksum'] as const) {
    const found = state?.[field] ?? 0;
    if (found !== anchor[field]) return { field, wanted: anchor[field], found };
  }
  return null;
}
