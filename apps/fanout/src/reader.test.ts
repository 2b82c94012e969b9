import fc from 'fast-check';
import type { LogRecord } from '@rivulet/protocol';
import { formatCursor } from '@rivulet/protocol';
import { MemoryLog } from '@rivulet/log';
import { appendRecord, FRAGMENTS, MemorySource, openRecord, recordWriter } from '../../../test/support/memory-source';
import { placeOf, Reader } from './reader';
import type { Told } from './reader';
import { ScanTurns } from './scan-turns';
import type { StreamEntry } from './stream-source';
import { ViewCache } from './view-cache';

const EVER = Number.MAX_SAFE_INTEGER;
const NO = 'a-stream';

const logs: MemoryLog[] = [];
afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
});

async function startSource(bytesMax = 1 << 24) {
  const log = new MemoryLog();
  logs.push(log);
  await MemorySource.topic(log);
  const views = new ViewCache({ bytesMax });
  const source = new MemorySource(log, views).start();
  const turns = new ScanTurns({ log, topic: FRAGMENTS, concurrentMax: 2 });
  const write = recordWriter(log);
  const reader = (entry: StreamEntry, cursor: string | null = null, shape: 'bytes' | 'items' | 'newest' = 'bytes') =>
    new Reader({ entry, turns, shape }, placeOf(entry, cursor));
  return { log, source, turns, write, views, reader };
}

/** What a session would hold after these: the content since the last rewind, with the facts that must be contiguous checked. */
class Heard {
  content = '';
  fragments: string[] = [];
  cursor: string | null = null;
  last = 0;
  events: string[] = [];

  hear(told: Told): void {
    this.events.push(told.kind);
    if (told.kind === 'rewind') {
      this.content = '';
      this.last = 0;
      this.cursor = formatCursor(told.epoch, 0);
    } else if (told.kind === 'fragments') {
      const { run } = told;
      expect(run.first).toBe(this.last + 1); // [WATCH-1]
      this.last = run.last;
      this.cursor = formatCursor(run.epoch, run.last);
      this.content += Buffer.concat(run.parts).toString('latin1');
    }
  }
}

async function readToHead(reader: Reader, heard: Heard, bytesMax = EVER, last = EVER): Promise<void> {
  for (;;) {
    const told = reader.pull(bytesMax, last);
    for (const one of told) heard.hear(one);
    if (told.length > 0) continue;
    if (!reader.isCold) return;
    await reader.readLog(bytesMax, () => true);
  }
}

/** Everything of the stream out of memory, as another stream's traffic would do. */
function evict(entry: StreamEntry, segments = Infinity): void {
  for (let count = 0; count < segments && entry.view.evict(); count += 1) continue;
}

const endRecord = (epoch: number, lastSeq: number | null): LogRecord =>
  ({ kind: 'end', epoch, lastSeq, checksum: null, digest: '', metadata: {} });
const retryRecord = (epoch: number, keep: 'all' | 'none'): LogRecord => ({ kind: 'retry', epoch, attemptId: `a${epoch}`, keep, reason: 'test' });

describe('a reader', () => {
  test('[WATCH-1] gets every fragment once, in order, hot or cold, and [WATCH-9] nothing after the final', async () => {
    const { source, write, reader } = await startSource();
    await write(NO, openRecord(), appendRecord(1, ['a', 'b']), appendRecord(2, ['b', 'c']), appendRecord(5, ['e']), appendRecord(4, ['d']));
    await write(NO, endRecord(1, 5));
    await source.caughtUp();
    const entry = await source.open(NO);
    for (const isCold of [false, true]) {
      if (isCold) evict(entry);
      const heard = new Heard();
      const one = reader(entry);
      await readToHead(one, heard);
      expect(heard.content).toBe('abcde');
      expect(heard.events.at(-1)).toBe('final');
      expect(one.isFinished).toBe(true);
      expect(one.pull(EVER, EVER)).toEqual([]);
    }
  });

  test('[WATCH-2] an old cursor resolves through the attempts; after keep: none the reader is told to rewind', async () => {
    const { source, write, reader } = await startSource();
    await write(NO, openRecord(), appendRecord(1, ['a', 'b', 'c']), retryRecord(2, 'all'), appendRecord(4, ['d'], { epoch: 2 }));
    await source.caughtUp();
    const entry = await source.open(NO);
    const kept = reader(entry, '1.3').pull(EVER, EVER);
    expect(kept).toMatchObject([{ kind: 'fragments', run: { epoch: 2, first: 4, last: 4 } }]);
    await write(NO, retryRecord(3, 'none'), appendRecord(1, ['x'], { epoch: 3 }));
    await source.caughtUp();
    const stale = reader(entry, '1.2');
    expect(stale.pull(EVER, EVER)).toEqual([{ kind: 'rewind', epoch: 3 }]);
    expect(stale.pull(EVER, EVER)).toMatchObject([{ kind: 'fragments', run: { epoch: 3, first: 1 } }]);
    expect(reader(entry, '3.1').pull(EVER, EVER)).toEqual([]);
    expect(() => placeOf(entry, '3.2')).toThrow('CURSOR_UNKNOWN');
    expect(() => placeOf(entry, '4.0')).toThrow('CURSOR_UNKNOWN');
    expect(() => placeOf(entry, 'x')).toThrow('CURSOR_INVALID');
    expect(() => placeOf(entry, '3.1.f')).toThrow('CURSOR_UNKNOWN');
    await write(NO, endRecord(3, 1));
    await source.caughtUp();
    expect(placeOf(entry, '3.1.f').isFinished).toBe(true);
  });

  test('[WATCH-3] behind the head fragments merge up to the frame, never across lanes or epochs', async () => {
    const { source, write, reader } = await startSource();
    await write(NO, openRecord(), appendRecord(1, ['aa', 'bb'], { lane: 'x' }), appendRecord(3, ['cc']), retryRecord(2, 'all'));
    await write(NO, appendRecord(4, ['dd', 'ee'], { epoch: 2 }));
    await source.caughtUp();
    const entry = await source.open(NO);
    const spans = (told: Told[]) => told.map((one) => one.kind === 'fragments' && [one.run.epoch, one.run.lane, one.run.first, one.run.last]);
    expect(spans(reader(entry).pull(EVER, EVER))).toEqual([[1, 'x', 1, 2], [1, '', 3, 3], [2, '', 4, 5]]);
    expect(spans(reader(entry).pull(2, EVER))).toEqual([[1, 'x', 1, 1]]);
    expect(spans(reader(entry).pull(EVER, 4))).toEqual([[1, 'x', 1, 2], [1, '', 3, 3], [2, '', 4, 4]]);
  });

  test('[WATCH-3] `latest` keeps the newest per lane, without a hole', async () => {
    const { source, write, reader } = await startSource();
    await write(NO, openRecord({ merge: 'latest' }), appendRecord(1, ['1', '2'], { lane: 'x' }), appendRecord(3, ['3'], { lane: 'y' }));
    await write(NO, appendRecord(4, ['4', '5'], { lane: 'x' }));
    await source.caughtUp();
    const entry = await source.open(NO);
    for (const isCold of [false, true]) {
      if (isCold) evict(entry);
      const one = reader(entry, null, 'newest');
      if (isCold) {
        expect(one.pull(EVER, EVER)).toEqual([]);
        await one.readLog(EVER, () => true);
      }
      expect(one.pull(EVER, EVER)).toMatchObject([
        { run: { lane: 'y', first: 1, last: 3, parts: [Buffer.from('3')] } }, { run: { lane: 'x', first: 4, last: 5, parts: [Buffer.from('5')] } },
      ]);
    }
  });

  test('[WATCH-5] what is no longer kept is CURSOR_EXPIRED with the oldest cursor, never a jump', async () => {
    const { source, write, reader, log } = await startSource();
    await write(NO, openRecord());
    for (let seq = 1; seq <= 200; seq += 1) await write(NO, appendRecord(seq, ['z']));
    await source.caughtUp();
    const entry = await source.open(NO);
    evict(entry);
    log.truncate(FRAGMENTS, 0, 100);
    const one = reader(entry);
    expect(one.pull(EVER, EVER)).toEqual([]);
    const error = await one.readLog(EVER, () => true).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'CURSOR_EXPIRED', details: { oldest: expect.stringMatching(/^1\.\d+$/) } });
    const { oldest } = (error as { details: { oldest: string } }).details;
    const heard = new Heard();
    heard.last = Number(oldest.split('.')[1]);
    expect(heard.last).toBeGreaterThanOrEqual(98);
    await readToHead(reader(entry, oldest), heard);
    expect(heard.last).toBe(200);
  });

  test('[WATCH-5] what the log does not show for a while is waited for; LOG_LOST is what the log has lost', async () => {
    const { source, write, reader, log } = await startSource();
    await write(NO, openRecord(), appendRecord(1, ['a']), appendRecord(2, ['b']), appendRecord(3, ['c']));
    await source.caughtUp();
    const entry = await source.open(NO);
    evict(entry);
    const { scan, bounds } = log;
    // As after a change of leader: the last record is there, but what can be read ends before it.
    log.scan = async (...asked) => {
      const batch = await scan.apply(log, asked);
      const records = batch.records.filter(({ offset }) => offset < 3);
      return { ...batch, records, nextOffset: Math.max(asked[2], 3), highWatermark: 3 };
    };
    const one = reader(entry);
    const heard = new Heard();
    const read = async (): Promise<unknown> => readToHead(one, heard).catch((error: unknown) => error);
    expect(await read()).toMatchObject({ code: 'LOG_UNAVAILABLE' });
    expect(heard.content).toBe('ab');
    log.bounds = async () => ({ start: 0, end: 3 });
    expect(await read()).toMatchObject({ code: 'LOG_LOST' });
    Object.assign(log, { scan, bounds });
    await readToHead(one, heard);
    expect(heard.content).toBe('abc');
  });

  test('lost and resumed are told in their place', async () => {
    const { source, write, reader } = await startSource();
    await write(NO, openRecord(), appendRecord(1, ['a']));
    await source.caughtUp();
    const entry = await source.open(NO);
    const one = reader(entry);
    const heard = new Heard();
    await readToHead(one, heard);
    await write(NO, { kind: 'lapse', epoch: 1, activityOffset: 1 });
    await source.caughtUp();
    await readToHead(one, heard);
    await write(NO, appendRecord(2, ['b']), endRecord(1, 2));
    await source.caughtUp();
    await readToHead(one, heard);
    expect(heard.events).toEqual(['fragments', 'lost', 'fragments', 'final']);
  });
});

/** A history: writes with duplicates, reordering, stale epochs and rewinds. */
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ what: fc.constant('append' as const), shift: fc.integer({ min: -3, max: 2 }), count: fc.integer({ min: 1, max: 6 }),
    size: fc.integer({ min: 0, max: 40 }), lane: fc.constantFrom('', '', 'x'), isStale: fc.nat(9).map((n) => n === 0) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('retry' as const), keep: fc.constantFrom('all' as const, 'none' as const) }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('evict' as const), segments: fc.constantFrom(1, 2, Infinity) }) },
  { weight: 6, arbitrary: fc.record({ what: fc.constant('read' as const), frame: fc.integer({ min: 1, max: 200 }), credit: fc.integer({ min: 1, max: 30 }) }) },
  { weight: 3, arbitrary: fc.constant({ what: 'reconnect' as const }) },
);

test('[WATCH-1] any reader, at any pace, evicted and reconnected at any time, gets exactly the content, once', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.nat(255), async (steps, seed) => {
    const { source, write, reader } = await startSource();
    await write(NO, openRecord());
    await source.caughtUp();
    const entry = await source.open(NO);
    const payload = (epoch: number, seq: number, size: number) => Buffer.alloc(size, (epoch * 31 + seq * 7 + seed) % 251);
    const sizes = new Map<number, number>();
    const whole = new Heard();
    const always = reader(entry);
    const picky = new Heard();
    let one = reader(entry);
    let epoch = 1;
    for (const step of steps) {
      if (step.what === 'append') {
        const from = Math.max(1, entry.state.next + step.shift);
        const seqs = Array.from({ length: step.count }, (_, index) => from + index);
        // Resent fragments are byte-identical [APPEND-3].
        for (const seq of seqs) if (!sizes.has(seq)) sizes.set(seq, step.size);
        const payloads = seqs.map((seq) => payload(epoch, seq, sizes.get(seq)!));
        await write(NO, appendRecord(from, payloads, { epoch: step.isStale ? epoch - 1 : epoch, lane: step.lane }));
      } else if (step.what === 'retry' && epoch < 16) {
        epoch += 1;
        // Held ones are discarded by a retry, so what follows may differ.
        sizes.clear();
        await write(NO, retryRecord(epoch, step.keep));
      }
      await source.caughtUp();
      // The one that is always at the head defines the content; the other must come to the same.
      await readToHead(always, whole);
      expect(whole.last).toBe(entry.state.next - 1);
      if (step.what === 'evict') evict(entry, step.segments);
      if (step.what === 'reconnect') one = reader(entry, picky.cursor);
      if (step.what === 'read') {
        const told = one.pull(step.frame, picky.last + step.credit);
        for (const each of told) picky.hear(each);
        if (one.isCold) await one.readLog(step.frame, () => true);
      }
    }
    await write(NO, endRecord(epoch, null));
    await source.caughtUp();
    evict(entry, 1);
    await readToHead(one, picky, 64);
    await readToHead(always, whole);
    expect(picky.content).toBe(whole.content);
    expect(Buffer.byteLength(whole.content, 'latin1')).toBe(entry.state.bytes);
    const late = new Heard();
    evict(entry);
    await readToHead(reader(entry), late, 100);
    expect(late.content).toBe(whole.content);
    await source.stop();
  }), { numRuns: 150 });
});
