import { LIMITS, abort, append, checksumOf, end, open, opened, retry, unnumbered } from '../../../test/support/records';

const refused = (code: string, fragments: number) => [{ kind: 'refused', record: 'append', code, fragments }];

test('[JUDGE-5] the next fragments are accepted in one run, with bytes and checksum', () => {
  const fold = opened().push(append(1, ['Hel', 'lo']));
  expect(fold.effects).toEqual([
    { kind: 'fragments', epoch: 1, lane: '', firstSequence: 1, payloads: [Buffer.from('Hel'), Buffer.from('lo')] },
  ]);
  expect(fold.known).toMatchObject({ next: 3, bytes: 5, checksum: checksumOf('Hello'), numbering: 'numbered' });
});

test('[JUDGE-5] a fragment below next is a duplicate, and a pack that overlaps is trimmed', () => {
  const fold = opened().push(append(1, ['a', 'b', 'c']), append(2, ['b', 'c', 'd']));
  expect(fold.effects).toEqual([
    { kind: 'fragments', epoch: 1, lane: '', firstSequence: 4, payloads: [Buffer.from('d')] },
    { kind: 'duplicate', fragments: 2 },
  ]);
  expect(fold.push(append(1, 'a')).effects).toEqual([{ kind: 'duplicate', fragments: 1 }]);
  expect(fold.text).toBe('abcd');
});

test('[JUDGE-5] a fragment above next is held and comes out when the hole is filled, in runs of one lane', () => {
  const fold = opened().push(append(3, ['c', 'd']), append(5, 'E', { lane: 'tool' }));
  expect(fold.effects).toEqual([]);
  expect(fold.known.held.map(({ sequence, offset, bytes }) => [sequence, offset, bytes])).toEqual([[3, 1, 1], [4, 1, 1], [5, 2, 1]]);
  fold.push(append(1, ['a', 'b']));
  expect(fold.last('fragments').map(({ firstSequence, lane, payloads }) => [firstSequence, lane, Buffer.concat(payloads).toString()]))
    .toEqual([[1, '', 'ab'], [3, '', 'cd'], [5, 'tool', 'E']]);
  expect(fold.known).toMatchObject({ next: 6, held: [], heldBytes: 0, gapSince: null });
});

test('[JUDGE-5] a fragment that is held already is dropped, whichever pack it comes in', () => {
  const fold = opened().push(append(3, 'c'), append(2, ['X', 'Y', 'Z']));
  expect(fold.last('duplicate')).toEqual([{ kind: 'duplicate', fragments: 1 }]);
  expect(fold.known.held.map(({ sequence }) => sequence)).toEqual([2, 3, 4]);
  expect(fold.push(append(1, 'a')).text).toBe('aXcZ');
});

test('[JUDGE-5] the first write of a sequence wins over a later pack that carries it too', () => {
  const fold = opened().push(append(2, 'b'), append(1, ['a', 'B', 'c']));
  expect(fold.text).toBe('abc');
  expect(fold.last('duplicate')).toEqual([{ kind: 'duplicate', fragments: 1 }]);
});

test('[JUDGE-5] as many as heldFragmentsMax are held; one more fails the stream GAP_TOO_LARGE', () => {
  const fold = opened({ heldFragmentsMax: 3 }).push(append(2, ['b', 'c', 'd']));
  expect(fold.known.status).toBe('open');
  fold.push(append(9, 'i'));
  expect(fold.known).toMatchObject({ status: 'failed', held: [], heldBytes: 0 });
  expect(fold.known.final).toMatchObject({ reason: 'GAP_TOO_LARGE', sequence: 0 });
  expect(fold.last('refused')).toEqual(refused('GAP_TOO_LARGE', 1));
});

test('[JUDGE-5] held bytes beyond heldBytesMax fail the stream GAP_TOO_LARGE', () => {
  const fold = opened({ heldBytesMax: 4 }).push(append(2, 'bbbb'));
  expect(fold.known.heldBytes).toBe(4);
  expect(fold.push(append(3, 'c')).known.final?.reason).toBe('GAP_TOO_LARGE');
});

test('[JUDGE-5] the age of a hole starts anew when the next hole is another one', () => {
  const fold = opened().pushAt(2_000, append(3, 'c')).pushAt(3_000, append(5, 'e'));
  expect(fold.known.gapSince).toBe(2_000);
  fold.pushAt(4_000, append(1, 'a'));
  expect(fold.known.gapSince).toBe(4_000);
  fold.pushAt(5_000, append(1, 'a'));
  expect(fold.known.gapSince).toBe(4_000);
  expect(fold.pushAt(6_000, append(2, ['b', 'c', 'd'])).known.gapSince).toBeNull();
});

test('[JUDGE-4] a lower epoch is fenced, a higher one unknown; neither changes the stream', () => {
  const fold = opened().push(append(1, 'a'), retry(2));
  expect(fold.push(append(2, ['x', 'y'], { epoch: 1 })).effects).toEqual(refused('STALE_EPOCH', 2));
  expect(fold.push(append(2, 'x', { epoch: 3 })).effects).toEqual(refused('EPOCH_UNKNOWN', 1));
  expect(fold.push(append(2, 'b', { epoch: 2 })).text).toBe('ab');
});

test('[JUDGE-4] mixing numbered and unnumbered appends fails the stream', () => {
  const fold = opened().push(append(1, 'a'), unnumbered('w', 1, ['b', 'c']));
  expect(fold.known.final).toMatchObject({ status: 'failed', reason: 'NUMBERING_MIXED', sequence: 1 });
  expect(fold.last('refused')).toEqual(refused('NUMBERING_MIXED', 2));
  expect(opened().push(unnumbered('w', 1, 'a'), append(2, 'b')).known.final?.reason).toBe('NUMBERING_MIXED');
});

test('[JUDGE-4] unnumbered fragments are numbered on acceptance; what a writer sent already is dropped', () => {
  const fold = opened().push(unnumbered('w', 1, ['a', 'b']), unnumbered('w', 2, ['b', 'c']), unnumbered('v', 1, 'd'), unnumbered('w', 1, 'a'));
  expect(fold.effects).toEqual([{ kind: 'duplicate', fragments: 1 }]);
  expect(fold.text).toBe('abcd');
  expect(fold.known.writers).toEqual([{ writer: 'v', n: 1 }, { writer: 'w', n: 3 }]);
});

test('[JUDGE-4] a hole in the counter of a writer is no hole in the stream: one counter serves many streams', () => {
  expect(opened().push(unnumbered('w', 7, 'a'), unnumbered('w', 90, 'b')).known).toMatchObject({ next: 3, held: [] });
});

test('[JUDGE-4] the last n of the 8 most recent writers are kept', () => {
  const fold = opened();
  for (let index = 1; index <= 8; index++) fold.push(unnumbered(`w${index}`, 1, 'a'));
  fold.push(unnumbered('w1', 1, 'a'), unnumbered('w9', 1, 'b'));
  expect(fold.known.writers.map(({ writer }) => writer)).toEqual(['w3', 'w4', 'w5', 'w6', 'w7', 'w8', 'w1', 'w9']);
});

test('[JUDGE-11] the first append of an epoch binds the writer run; another run is refused and changes nothing', () => {
  const fold = opened().push(append(1, 'a', { writerRun: 'one' }), append(2, 'x', { writerRun: 'two' }));
  expect(fold.effects).toEqual(refused('WRITER_CONFLICT', 1));
  // Not even what would fail the stream.
  expect(fold.push(unnumbered('w', 1, 'x', { writerRun: 'two' })).effects).toEqual(refused('WRITER_CONFLICT', 1));
  expect(fold.push(append(2, 'b')).text).toBe('ab');
});

test('[JUDGE-11] another run neither ends nor aborts what the bound one writes; the bound one and one without a name do', () => {
  const fold = opened().push(append(1, 'a', { writerRun: 'one' }));
  for (const record of [end(0, { writerRun: 'two' }), end(1, { writerRun: 'two' }), { ...abort(), writerRun: 'two' }]) {
    expect(fold.push(record).verdicts.at(-1)).toMatchObject({ outcome: 'refused', code: 'WRITER_CONFLICT' });
  }
  expect(fold.known.status).toBe('open');
  expect(fold.push(append(2, 'b', { writerRun: 'one' }), end(2, { writerRun: 'one' })).known.status).toBe('ended');
  expect(opened().push(append(1, 'a', { writerRun: 'one' }), abort()).known.status).toBe('failed');
  expect(opened().push(end(0, { writerRun: 'two' })).known.status).toBe('ended');
});

test('[JUDGE-11] after a retry another run may write', () => {
  const fold = opened().push(append(1, 'a', { writerRun: 'one' }), retry(2), append(2, 'b', { epoch: 2, writerRun: 'two' }));
  expect(fold.text).toBe('ab');
});

test('[JUDGE-10] limits are those of the open record: what fits is accepted, then the stream fails', () => {
  const large = opened({ fragmentBytesMax: 3 }).push(append(1, ['abc', 'd', 'efgh', 'i']));
  expect(large.text).toBe('abcd');
  expect(large.known.final).toMatchObject({ reason: 'FRAGMENT_TOO_LARGE', sequence: 2 });
  expect(large.last('refused')).toEqual(refused('FRAGMENT_TOO_LARGE', 2));
  const long = opened({ streamBytesMax: 4 }).push(append(1, ['abc', 'd']), append(3, 'e'));
  expect(long.known.final).toMatchObject({ reason: 'STREAM_TOO_LARGE', sequence: 2, bytes: 4 });
  const held = opened({ fragmentBytesMax: 3 }).push(append(2, 'efgh'));
  expect(held.known.final?.reason).toBe('FRAGMENT_TOO_LARGE');
  expect(LIMITS.streamBytesMax).toBe(0); // 0: no limit, as in all other tests
});

test('[JUDGE-10] a stream without room for what was held fails when it comes out', () => {
  const fold = opened({ streamBytesMax: 3 }).push(append(2, ['b', 'c', 'd']), append(1, 'a'));
  expect(fold.text).toBe('abc');
  expect(fold.known.final).toMatchObject({ reason: 'STREAM_TOO_LARGE', sequence: 3 });
});

test('[JUDGE-7] a fragment above a waiting end fails the stream END_MISMATCH', () => {
  const fold = opened().push(append(1, 'a'), end(3), append(2, ['b', 'c', 'd']));
  expect(fold.known.final).toMatchObject({ reason: 'END_MISMATCH', sequence: 1 });
  expect(fold.verdicts.at(-1)).toEqual({ offset: 2, kind: 'end', outcome: 'refused', code: 'END_MISMATCH' });
  const free = opened().push(unnumbered('w', 1, 'a'), end(2), unnumbered('w', 2, ['b', 'c']));
  expect(free.known.final?.reason).toBe('END_MISMATCH');
});

test('[JUDGE-1] a final stream takes no fragment; a resend of what it has is a duplicate', () => {
  const fold = opened().push(append(1, ['a', 'b']), end(2));
  expect(fold.push(append(3, 'c')).effects).toEqual(refused('STREAM_FINAL', 1));
  expect(fold.push(append(2, ['b', 'c'])).effects).toEqual(refused('STREAM_FINAL', 2));
  expect(fold.push(append(1, ['a', 'b'])).effects).toEqual([{ kind: 'duplicate', fragments: 2 }]);
});

test('[JUDGE-5] sequences near 2^53 fail the stream and loop nowhere', () => {
  expect(opened().push(append(Number.MAX_SAFE_INTEGER, ['a', 'b'])).known.final?.reason).toBe('GAP_TOO_LARGE');
  const held = opened().push(append(Number.MAX_SAFE_INTEGER - 1, 'a'));
  expect(held.known.held).toHaveLength(1);
  expect(held.push(append(1, 'b')).text).toBe('b');
});

test('[JUDGE-5] an append without payloads changes nothing but the lease', () => {
  const fold = opened().push(append(9, []), append(0, []));
  expect(fold.known).toMatchObject({ numbering: 'undecided', next: 1, activityOffset: 2 });
});

test('[OWN-5] a held fragment whose payload could not be read again fails the stream LOG_LOST when its turn comes', () => {
  const fold = opened().push(append(2, ['b', 'c']));
  fold.known.held[1]!.payload = null;
  expect(fold.push(append(1, 'a')).text).toBe('ab');
  expect(fold.known.final).toMatchObject({ reason: 'LOG_LOST', sequence: 2 });
});

test('[JUDGE-2] an append before the open is refused and creates nothing', () => {
  const fold = opened();
  fold.state = undefined;
  expect(fold.push(append(1, ['a', 'b'])).effects).toEqual(refused('STREAM_NOT_FOUND', 2));
  expect(fold.state).toBeUndefined();
  expect(fold.push(open()).known.next).toBe(1);
});
