import { isUtf8 } from 'node:buffer';
import { formatCursor, formatFinalCursor, publicStatus } from '@rivulet/protocol';
import type { FinalEvent, FinalFacts, Merge, RewindEvent, StreamEvent, StreamState } from '@rivulet/protocol';
import type { Told } from './reader';
import type { Run } from './view-segment';

/** What a session is told, its first event included. */
export type Tellable = Told | { kind: 'stream'; confirmed?: string | null } | { kind: 'probe'; confirmed: string | null };
type Facts<Event> = Omit<Event, 'type' | 'streamNo'>;

/** An event before it is put on a transport. */
export interface EventText {
  name: 'stream' | 'fragment' | 'rewind' | 'lost' | 'resumed' | 'final' | 'probe';
  /** '' for events that carry none [WATCH-2]. */
  cursor: string;
  /** Members of the JSON object, without the braces, `type` and `streamNo`. */
  members: string;
}

const membersOf = (facts: object): string => JSON.stringify(facts).slice(1, -1);

/** @param confirmed of a named session [WATCH-6]; undefined: it has no name */
export function streamFacts(state: StreamState, confirmed?: string | null): Facts<StreamEvent> {
  const { contentType, merge, channel, metadata } = state.open;
  const { epoch } = state;
  const facts = { status: publicStatus(state), epoch, attempt: epoch, contentType, merge, channel, metadata };
  return confirmed === undefined ? facts : { ...facts, confirmed };
}

export function finalEventFacts(final: FinalFacts): Facts<FinalEvent> {
  const { offset: _offset, ...facts } = final;
  return { ...facts, cursor: formatFinalCursor(final.epoch, final.sequence) };
}

/** [WATCH-2] `rewind` carries the new epoch's cursor; `lost` and `resumed` carry none. */
export function rewindFacts(epoch: number): Facts<RewindEvent> {
  return { epoch, cursor: formatCursor(epoch, 0) };
}

export function streamText(state: StreamState, confirmed?: string | null): EventText {
  return { name: 'stream', cursor: '', members: membersOf(streamFacts(state, confirmed)) };
}

export function eventText(state: StreamState, told: Tellable): EventText {
  if (told.kind === 'stream') return streamText(state, told.confirmed);
  // Without an id: a browser would resume there.
  if (told.kind === 'probe') return { name: 'probe', cursor: '', members: membersOf({ confirmed: told.confirmed }) };
  return told.kind === 'fragments' ? fragmentText(told.run, state.open.merge) : toldText(told);
}

export function toldText(told: Exclude<Told, { kind: 'fragments' }>): EventText {
  const name = told.kind;
  if (name === 'lost' || name === 'resumed') return { name, cursor: '', members: '' };
  const facts = name === 'final' ? finalEventFacts(told.final) : rewindFacts(told.epoch);
  return { name, cursor: facts.cursor, members: membersOf(facts) };
}

/** [WATCH-3] One shape always: `{from, to, cursor, lane?, text | base64 | items}`. */
export function fragmentText(run: Run, merge: Merge): EventText {
  const cursor = formatCursor(run.epoch, run.last);
  const head = membersOf({ from: run.first, to: run.last, cursor, ...(run.lane === '' ? {} : { lane: run.lane }) });
  return { name: 'fragment', cursor, members: `${head},${contentMember(run, merge)}` };
}

function contentMember(run: Run, merge: Merge): string {
  const content = contentOf(run, merge);
  if ('items' in content) return `"items":[${content.items.join(',')}]`;
  return 'text' in content ? `"text":${JSON.stringify(content.text)}` : `"base64":"${content.raw.toString('base64')}"`;
}

/** What a run carries; items as JSON text. */
export function contentOf(run: Run, merge: Merge): { items: string[] } | { text: string } | { raw: Buffer } {
  if (merge === 'json' || merge === 'latest') {
    const items = run.parts.map(jsonOf);
    if (!items.includes(null)) return { items: items as string[] };
  }
  const raw = run.parts.length === 1 ? Buffer.from(run.parts[0]!.buffer, run.parts[0]!.byteOffset, run.bytes) : Buffer.concat(run.parts);
  // Fragments of text are valid UTF-8 one by one [APPEND-9], so are they together. What somebody wrote past ingest is shown as it is.
  return merge === 'text' && isUtf8(raw) ? { text: raw.toString() } : { raw };
}

/** @returns the payload's own digits and spelling, on one line; null when it is not JSON */
function jsonOf(payload: Uint8Array): string | null {
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString();
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  // Outside of strings a line break is white space, and inside none can stand; on SSE it would end the line.
  return text.replace(/[\r\n]+/g, ' ');
}
