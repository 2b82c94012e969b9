import { isUtf8 } from 'node:buffer';
import { formatCursor, formatFinalCursor, publicStatus } from '@rivulet/protocol';
import type { FinalFacts, Merge, StreamState } from '@rivulet/protocol';
import type { Told } from './reader';
import type { Run } from './view-segment';

/** An event before it is put on a transport. */
export interface EventText {
  name: 'stream' | 'fragment' | 'rewind' | 'lost' | 'resumed' | 'final';
  /** '' for events that carry none [WATCH-2]. */
  cursor: string;
  /** Members of the JSON object, without the braces, `type` and `streamNo`. */
  members: string;
}

const membersOf = (facts: Record<string, unknown>): string => JSON.stringify(facts).slice(1, -1);

export function streamText(state: StreamState): EventText {
  const { contentType, merge, channel, metadata } = state.open;
  const { epoch } = state;
  const facts = { status: publicStatus(state), epoch, attempt: epoch, contentType, merge, channel, metadata };
  return { name: 'stream', cursor: '', members: membersOf(facts) };
}

export function finalText(final: FinalFacts): EventText {
  const { offset: _offset, ...facts } = final;
  const cursor = formatFinalCursor(final.epoch, final.sequence);
  return { name: 'final', cursor, members: membersOf({ ...facts, cursor }) };
}

/** [WATCH-2] `rewind` carries the new epoch's cursor; `lost` and `resumed` carry none. */
export function toldText(told: Exclude<Told, { kind: 'fragments' }>): EventText {
  if (told.kind === 'final') return finalText(told.final);
  if (told.kind !== 'rewind') return { name: told.kind, cursor: '', members: '' };
  const cursor = formatCursor(told.epoch, 0);
  return { name: 'rewind', cursor, members: membersOf({ epoch: told.epoch, cursor }) };
}

/** [WATCH-3] One shape always: `{from, to, cursor, lane?, text | base64 | items}`. */
export function fragmentText(run: Run, merge: Merge): EventText {
  const cursor = formatCursor(run.epoch, run.last);
  const head = membersOf({ from: run.first, to: run.last, cursor, ...(run.lane === '' ? {} : { lane: run.lane }) });
  return { name: 'fragment', cursor, members: `${head},${contentMember(run, merge)}` };
}

function contentMember(run: Run, merge: Merge): string {
  if (merge === 'json' || merge === 'latest') {
    const items = run.parts.map(jsonOf);
    if (!items.includes(null)) return `"items":[${items.join(',')}]`;
  }
  const bytes = run.parts.length === 1 ? Buffer.from(run.parts[0]!.buffer, run.parts[0]!.byteOffset, run.bytes) : Buffer.concat(run.parts);
  // Fragments of text are valid UTF-8 one by one [APPEND-9], so are they together. What somebody wrote past ingest is shown as it is.
  if (merge === 'text' && isUtf8(bytes)) return `"text":${JSON.stringify(bytes.toString())}`;
  return `"base64":"${bytes.toString('base64')}"`;
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
