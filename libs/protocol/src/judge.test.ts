import { freshState } from './fresh-state';
import { judge } from './judge';
import { failState } from './judge-final';
import type { LogRecord } from './records';
import {
  Fold, STREAM_NO, abort, append, beat, cancel, checksumOf, end, open, opened, retry, unnumbered,
} from '../../../test/support/records';

const DAY_MS = 86_400_000;
const verdictsOf = (fold: Fold) => fold.last('verdict').map(({ verdict: { kind, outcome, code } }) => [kind, outcome, code]);

describe('open and time', () => {
  test('[JUDGE-2] an open creates the stream, a second one is ignored and answered as accepted', () => {
    const fold = opened();
    expect(fold.effects).toEqual([{ kind: 'opened' }, { kind: 'verdict', verdict: { offset: 0, kind: 'open', outcome: 'accepted' } }]);
    fold.push(append(1, 'a'), open({}, { channel: 'other' }));
    expect(fold.known).toMatchObject({ openedOffset: 0, next: 2, open: { channel: '' } });
    expect(verdictsOf(fold)).toEqual([['open', 'accepted', undefined]]);
  });

  test('[JUDGE-2] every record of an unknown stream is refused, with a verdict where one is asked for', () => {
    for (const record of [end(), abort(), cancel(), retry(2)]) {
      expect(verdictsOf(new Fold().push(record))).toEqual([[record.kind, 'refused', 'STREAM_NOT_FOUND']]);
    }
    const silent: LogRecord[] = [beat(), { kind: 'lapse', epoch: 1, activityOffset: 0 }, { kind: 'expire' }, { kind: 'delete' }];
    for (const record of silent) {
      const fold = new Fold().push(record);
      expect(fold.effects).toEqual([{ kind: 'refused', record: record.kind, code: 'STREAM_NOT_FOUND', fragments: 0 }]);
      expect(fold.state).toBeUndefined();
    }
  });

  test('[JUDGE-3] judged time never goes back, and a nonsensical timestamp moves nothing', () => {
    const fold = opened().pushAt(5_000, append(1, 'a')).pushAt(3_000, append(2, 'b'));
    expect(fold.known.judgedAt).toBe(5_000);
    for (const timestamp of [NaN, -1, Infinity, 2 ** 60]) expect(fold.pushAt(timestamp, append(1, 'a')).known.judgedAt).toBe(5_000);
  });

  test('[OWN-3] a record at or below the folded offset is ignored, so folding again is harmless', () => {
    const fold = opened().push(append(1, 'a'), append(3, 'c'));
    const before = structuredClone(fold.known);
    for (const offset of [0, 1, 2, NaN]) {
      expect(judge(fold.known, STREAM_NO, cancel(), offset, 9_000, () => 0).effects).toEqual([]);
    }
    expect(fold.known).toEqual(before);
  });
});

describe('end', () => {
  test('[JUDGE-7] an end seals what is there: status, bytes, checksum, digest, metadata', () => {
    const fold = opened().push(append(1, ['a', 'b']), end(2, { checksum: checksumOf('ab'), digest: 'd1', metadata: { tokens: 2 } }));
    const final = {
      status: 'ended', reason: '', message: '', epoch: 1, sequence: 2, bytes: 2, checksum: checksumOf('ab'), digest: 'd1',
      metadata: { tokens: 2 }, at: 1_003, offset: 2,
    };
    expect(fold.effects).toEqual([{ kind: 'final', final }, { kind: 'verdict', verdict: { offset: 2, kind: 'end', outcome: 'accepted' } }]);
    expect(fold.known).toMatchObject({ status: 'ended', final, attempts: [{ outcome: 'ended' }] });
  });

  test('[JUDGE-7] an end without lastSeq takes what is there, but not while fragments are held', () => {
    expect(opened().push(end()).known.final).toMatchObject({ status: 'ended', sequence: 0 });
    expect(opened().push(unnumbered('w', 1, ['a', 'b']), end()).known.final).toMatchObject({ status: 'ended', sequence: 2 });
    const fold = opened().push(append(2, 'b'), end());
    expect(fold.known.final?.reason).toBe('END_MISMATCH');
    expect(verdictsOf(fold)).toEqual([['end', 'refused', 'END_MISMATCH']]);
  });

  test('[JUDGE-7] an end that overtook fragments waits for them; verdicts: pending, then accepted for the same offset', () => {
    const fold = opened().push(append(1, 'a'), end(3), append(3, 'c'));
    expect(fold.known).toMatchObject({ status: 'open', pendingEnd: { lastSeq: 3, offset: 2 } });
    fold.push(append(2, 'b'));
    expect(fold.known.final).toMatchObject({ status: 'ended', sequence: 3, offset: 4 });
    expect(fold.verdicts.filter(({ kind }) => kind === 'end')).toEqual([
      { offset: 2, kind: 'end', outcome: 'pending' }, { offset: 2, kind: 'end', outcome: 'accepted' },
    ]);
  });

  test('[JUDGE-7] an end below what was accepted, or below what is held, fails the stream END_MISMATCH', () => {
    expect(opened().push(append(1, ['a', 'b']), end(1)).known.final?.reason).toBe('END_MISMATCH');
    expect(opened().push(append(5, 'e'), end(4)).known.final?.reason).toBe('END_MISMATCH');
    expect(opened().push(append(5, 'e'), end(5)).known.status).toBe('open');
  });

  test('[JUDGE-7] a wrong checksum fails the stream, at once or when the last fragment arrives', () => {
    const now = opened().push(append(1, 'a'), end(1, { checksum: 1 }));
    expect(now.known.final).toMatchObject({ status: 'failed', reason: 'CHECKSUM_MISMATCH', sequence: 1 });
    const later = opened().push(end(1, { checksum: 1 }), append(1, 'a'));
    expect(later.known.final?.reason).toBe('CHECKSUM_MISMATCH');
    expect(verdictsOf(later)).toEqual([['end', 'refused', 'CHECKSUM_MISMATCH']]);
  });

  test('[JUDGE-7] the checksum runs over all lanes and across keep: all epochs, and starts anew after keep: none', () => {
    const across = opened().push(append(1, 'a'), append(2, 'T', { lane: 'tool' }), retry(2), append(3, 'b', { epoch: 2 }));
    expect(across.push(end(3, { epoch: 2, checksum: checksumOf('aTb') })).known.status).toBe('ended');
    const anew = opened().push(append(1, 'a'), retry(2, 'none'), append(1, 'b', { epoch: 2 }));
    expect(anew.push(end(1, { epoch: 2, checksum: checksumOf('b') })).known.status).toBe('ended');
  });

  test('[APPEND-4] the same end again waits along, and each gets its verdict; another one is refused and changes nothing', () => {
    const fold = opened().push(end(1), end(1), end(2));
    expect(verdictsOf(fold)).toEqual([['end', 'refused', 'END_MISMATCH']]);
    fold.push(append(1, 'a'));
    expect(fold.last('verdict').map(({ verdict }) => [verdict.offset, verdict.outcome])).toEqual([[1, 'accepted'], [2, 'accepted']]);
  });

  test('[APPEND-4] repeating end, abort or cancel with the same arguments on a stream so final is accepted, others are refused', () => {
    const ended = opened().push(append(1, 'a'), end(1, { digest: 'd', metadata: { a: [1] } }));
    expect(verdictsOf(ended.push(end(1, { digest: 'd', metadata: { a: [1] } })))).toEqual([['end', 'accepted', undefined]]);
    expect(verdictsOf(ended.push(end(null, { digest: 'd', metadata: { a: [1] } })))).toEqual([['end', 'accepted', undefined]]);
    for (const other of [end(2, { digest: 'd' }), end(1), end(1, { digest: 'd', checksum: 9 }), abort(), cancel()]) {
      expect(verdictsOf(ended.push(other))).toEqual([[other.kind, 'refused', 'STREAM_FINAL']]);
    }
    const aborted = opened().push(abort(1, 'X', 'why'));
    expect(verdictsOf(aborted.push(abort(1, 'X', 'why')))).toEqual([['abort', 'accepted', undefined]]);
    expect(verdictsOf(aborted.push(abort(1, 'Y', 'why')))).toEqual([['abort', 'refused', 'STREAM_FINAL']]);
    const cancelled = opened().push(cancel('stop', 'ann'));
    expect(verdictsOf(cancelled.push(cancel('stop', 'bob')))).toEqual([['cancel', 'accepted', undefined]]);
    expect(verdictsOf(cancelled.push(cancel('other')))).toEqual([['cancel', 'refused', 'STREAM_FINAL']]);
  });
});

describe('abort and cancel', () => {
  test('[JUDGE-1] an abort fails the stream with the code of the producer', () => {
    const fold = opened().push(append(1, 'a'), abort(1, 'MODEL_FAILED', 'out of memory'));
    expect(fold.known.final).toMatchObject({ status: 'failed', reason: 'MODEL_FAILED', message: 'out of memory', sequence: 1 });
    expect(verdictsOf(fold)).toEqual([['abort', 'accepted', undefined]]);
  });

  test('[JUDGE-4] end and abort of another epoch are refused', () => {
    const fold = opened().push(retry(2));
    for (const [epoch, code] of [[1, 'STALE_EPOCH'], [3, 'EPOCH_UNKNOWN']] as const) {
      expect(verdictsOf(fold.push(end(null, { epoch })))).toEqual([['end', 'refused', code]]);
      expect(verdictsOf(fold.push(abort(epoch)))).toEqual([['abort', 'refused', code]]);
    }
    expect(fold.known.status).toBe('open');
  });

  test('[JUDGE-9] a cancel ends any stream that is not final; a waiting end learns it', () => {
    const fold = opened().push(append(1, 'a'), end(3), cancel('enough'));
    expect(fold.known.final).toMatchObject({ status: 'cancelled', reason: 'enough', sequence: 1 });
    expect(verdictsOf(fold)).toEqual([['end', 'refused', 'STREAM_FINAL'], ['cancel', 'accepted', undefined]]);
  });
});

describe('retry', () => {
  test('[JUDGE-6] keep: all goes on after what was accepted; held fragments and a waiting end are dropped, the end is answered', () => {
    const fold = opened().push(append(1, ['a', 'b']), append(4, 'd'), end(9), retry(2, 'all', { reason: 'crash' }));
    expect(fold.known).toMatchObject({ epoch: 2, next: 3, bytes: 2, held: [], heldBytes: 0, pendingEnd: null, gapSince: null });
    expect(fold.last('attempt')).toEqual([{ kind: 'attempt', epoch: 2, keep: 'all' }]);
    expect(verdictsOf(fold)).toEqual([['end', 'refused', 'STALE_EPOCH'], ['retry', 'accepted', undefined]]);
    expect(fold.known.attempts).toMatchObject([
      { epoch: 1, attemptId: '', outcome: 'superseded', firstSequence: 1 },
      { epoch: 2, attemptId: 'attempt-2', outcome: null, firstSequence: 3, keep: 'all', reason: 'crash', startedAt: 1_005 },
    ]);
  });

  test('[JUDGE-6] keep: none starts over: next is 1, and the new attempt may number otherwise', () => {
    const fold = opened().push(append(1, ['a', 'b']), retry(2, 'none'));
    expect(fold.known).toMatchObject({ next: 1, bytes: 0, checksum: 0, numbering: 'undecided' });
    expect(fold.push(unnumbered('w', 1, 'z', { epoch: 2 })).text).toBe('z');
  });

  test('[JUDGE-6] a counter that starts anew with the epoch loses nothing', () => {
    const fold = opened().push(unnumbered('w', 1, ['a', 'b']), retry(2), unnumbered('w', 1, 'c', { epoch: 2 }));
    expect(fold.text).toBe('abc');
  });

  test('[JUDGE-6] [APPEND-8] of two attempts for one epoch the first wins; the winner may ask again', () => {
    const fold = opened().push(retry(2, 'all', { attemptId: 'mine' }), retry(2, 'none', { attemptId: 'other' }));
    expect(fold.effects).toEqual([
      { kind: 'refused', record: 'retry', code: 'RETRY_CONFLICT', fragments: 0 },
      { kind: 'verdict', verdict: { offset: 2, kind: 'retry', outcome: 'refused', code: 'RETRY_CONFLICT', attemptId: 'other' } },
    ]);
    fold.push(retry(2, 'all', { attemptId: 'mine' }));
    expect(fold.effects).toEqual([{ kind: 'verdict', verdict: { offset: 3, kind: 'retry', outcome: 'accepted', attemptId: 'mine' } }]);
    expect(fold.known.attempts).toHaveLength(2);
    expect(verdictsOf(fold.push(retry(1, 'all', { attemptId: '' })))).toEqual([['retry', 'refused', 'RETRY_CONFLICT']]);
  });

  test('[JUDGE-6] an epoch beyond the next is refused, and so is any retry of a final stream', () => {
    const fold = opened();
    expect(verdictsOf(fold.push(retry(3)))).toEqual([['retry', 'refused', 'EPOCH_UNKNOWN']]);
    expect(verdictsOf(fold.push(end(), retry(2)))).toEqual([['retry', 'refused', 'STREAM_FINAL']]);
  });

  test('[JUDGE-6] beyond attemptsMax the stream fails ATTEMPTS_EXHAUSTED', () => {
    const fold = opened({ attemptsMax: 2 }).push(retry(2), retry(3));
    expect(fold.known.final?.reason).toBe('ATTEMPTS_EXHAUSTED');
    expect(fold.known.attempts.map(({ outcome }) => outcome)).toEqual(['superseded', 'failed']);
    expect(verdictsOf(fold)).toEqual([['retry', 'refused', 'ATTEMPTS_EXHAUSTED']]);
  });
});

describe('what owners write', () => {
  test('[JUDGE-3] a lapse makes an open stream lost, unless its producer was heard of since', () => {
    const fold = opened().push(append(1, 'a'), { kind: 'lapse', epoch: 1, activityOffset: 0 });
    expect(fold.effects).toEqual([]);
    expect(fold.push({ kind: 'lapse', epoch: 2, activityOffset: 9 }).effects).toEqual([]);
    expect(fold.push({ kind: 'lapse', epoch: 1, activityOffset: 1 }).effects).toEqual([{ kind: 'lost' }]);
    expect(fold.push({ kind: 'lapse', epoch: 1, activityOffset: 1 }).effects).toEqual([]);
  });

  test('[JUDGE-8] any activity of the current epoch revives a lost stream: append, duplicate, beat, retry, end', () => {
    const signs: LogRecord[] = [append(2, 'b'), append(1, 'a'), append(9, 'z'), beat(), retry(2), end(5)];
    for (const record of signs) {
      const fold = opened().push(append(1, 'a'), { kind: 'lapse', epoch: 1, activityOffset: 1 }, record);
      expect(fold.last('resumed')).toHaveLength(1);
      expect(fold.known).toMatchObject({ isLost: false, activityOffset: 3 });
    }
  });

  test('[JUDGE-8] what is refused revives nothing', () => {
    const fold = opened().push(retry(2), append(1, 'a', { epoch: 2, writerRun: 'r' }), { kind: 'lapse', epoch: 2, activityOffset: 2 });
    fold.push(append(2, 'x', { epoch: 1 }), beat(1), beat(3), beat(2, 'another'), append(2, 'x', { epoch: 2, writerRun: 's' }), retry(9));
    expect(fold.known).toMatchObject({ isLost: true, activityOffset: 2 });
  });

  test('[OWN-3] a beat moves neither offset nor judged time: a replay may skip it', () => {
    const fold = opened().push(append(1, 'a')).pushAt(60_000, beat());
    expect(fold.known).toMatchObject({ offset: 1, judgedAt: 1_002, activityOffset: 2 });
  });

  test('[JUDGE-3] a gap fails the stream iff the same sequence of the same epoch is still missing', () => {
    const fold = opened().push({ kind: 'gap', epoch: 1, next: 1 }, append(2, 'b'));
    fold.push({ kind: 'gap', epoch: 1, next: 2 }, { kind: 'gap', epoch: 2, next: 1 });
    expect(fold.known.status).toBe('open');
    expect(fold.push({ kind: 'gap', epoch: 1, next: 1 }).known.final?.reason).toBe('GAP_TIMEOUT');
    const waiting = opened().push(end(2), { kind: 'gap', epoch: 1, next: 1 });
    expect(waiting.known.final?.reason).toBe('GAP_TIMEOUT');
    expect(verdictsOf(waiting)).toEqual([['end', 'refused', 'GAP_TIMEOUT']]);
  });

  test('[JUDGE-3] expire applies iff judged time has reached openedAt + ttlMs', () => {
    const fold = opened();
    const expiresAt = fold.known.openedAt + DAY_MS;
    expect(fold.pushAt(expiresAt - 1, { kind: 'expire' }).known.status).toBe('open');
    expect(fold.pushAt(expiresAt, { kind: 'expire' }).known.final).toMatchObject({ status: 'expired', at: expiresAt });
  });

  test('[JUDGE-3] [JUDGE-1] delete applies iff the stream is final and its retention has passed; then everything is gone', () => {
    const fold = opened().push({ kind: 'delete' }, append(1, 'a'), end(1));
    const gone = fold.known.final!.at + DAY_MS;
    expect(fold.pushAt(gone - 1, { kind: 'delete' }).effects).toEqual([]);
    expect(fold.pushAt(gone, { kind: 'delete' }).effects).toEqual([{ kind: 'deleted' }]);
    expect(fold.push({ kind: 'delete' }).effects).toEqual([]);
    expect(verdictsOf(fold.push(end(1)))).toEqual([['end', 'refused', 'STREAM_GONE']]);
    expect(fold.push(append(1, 'a')).effects).toEqual([{ kind: 'refused', record: 'append', code: 'STREAM_GONE', fragments: 1 }]);
  });

  test('[JUDGE-1] nothing an owner writes changes a final stream', () => {
    const fold = opened().push(append(1, 'a'), end(1));
    const { final } = fold.known;
    fold.push({ kind: 'lapse', epoch: 1, activityOffset: 99 }, { kind: 'gap', epoch: 1, next: 2 }, beat());
    fold.pushAt(DAY_MS * 2, { kind: 'expire' });
    expect(fold.known).toMatchObject({ status: 'ended', isLost: false, final });
  });

  test('[OWN-5] [JUDGE-10] an owner can fail a stream whose records or state are gone', () => {
    const { kind: _kind, ...facts } = open();
    const state = freshState(STREAM_NO, facts, 5, 7);
    expect(failState(state, 'LOG_LOST')).toMatchObject([{ kind: 'final', final: { status: 'failed', reason: 'LOG_LOST' } }]);
    expect(failState(state, 'LOG_LOST')).toEqual([]);
  });
});
