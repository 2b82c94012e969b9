import { encodeJsonFragment, encodeWatchEvent, formatCursor } from '@rivulet/protocol';
import { contentOf, finalEventFacts, rewindFacts, streamFacts } from './event-text';
import type { Tellable } from './event-text';
import type { StreamEntry } from './stream-source';
import type { Run } from './view-segment';

/** What follows the id of the subscription in a frame of `rivulet.v1.proto`: the same event as on JSON, bytes raw. */
export function eventProto({ streamNo, state }: Pick<StreamEntry, 'streamNo' | 'state'>, told: Tellable): Uint8Array {
  switch (told.kind) {
    case 'fragments': return fragmentProto(streamNo, told.run, state.open.merge);
    case 'stream': return encodeWatchEvent({ type: 'stream', streamNo, ...streamFacts(state, told.confirmed) });
    case 'probe': return encodeWatchEvent({ type: 'probe', streamNo, confirmed: told.confirmed });
    case 'rewind': return encodeWatchEvent({ type: 'rewind', streamNo, ...rewindFacts(told.epoch) });
    case 'final': return encodeWatchEvent({ type: 'final', streamNo, ...finalEventFacts(told.final) });
    case 'lost': case 'resumed': return encodeWatchEvent({ type: told.kind, streamNo });
  }
}

function fragmentProto(streamNo: string, run: Run, merge: Parameters<typeof contentOf>[1]): Uint8Array {
  const { first, last, epoch, lane } = run;
  const fragment = { streamNo, from: first, to: last, cursor: formatCursor(epoch, last), ...(lane === '' ? {} : { lane }) };
  const content = contentOf(run, merge);
  return 'items' in content ? encodeJsonFragment(fragment, content.items) : encodeWatchEvent({ type: 'fragment', ...fragment, ...content });
}
