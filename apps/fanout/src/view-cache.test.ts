import fc from 'fast-check';
import { ViewCache } from './view-cache';
import type { StreamView } from './stream-view';
import { SEGMENT_FRAGMENTS_MAX } from './view-segment';

const everything = { bytesMax: Number.MAX_SAFE_INTEGER, last: Number.MAX_SAFE_INTEGER, isExact: true };
const payload = (sequence: number, bytes = 8) => Buffer.alloc(bytes, sequence % 251);
const append = (view: StreamView, from: number, count: number, bytes = 8) =>
  view.append(1, '', from, Array.from({ length: count }, (_, index) => payload(from + index, bytes)));
const textOf = (parts: Uint8Array[]) => Buffer.concat(parts).toString('hex');

describe('a view', () => {
  test('gives back what was appended, from any sequence, sealed or not', () => {
    const view = new ViewCache({ bytesMax: 1 << 20 }).create('s');
    append(view, 1, 3 * SEGMENT_FRAGMENTS_MAX + 5);
    for (const from of [1, 2, SEGMENT_FRAGMENTS_MAX, SEGMENT_FRAGMENTS_MAX + 1, view.next - 1]) {
      const runs = view.read(from, everything)!;
      expect(runs).toHaveLength(1);
      expect(runs[0]).toMatchObject({ first: from, last: view.next - 1, epoch: 1, lane: '' });
      expect(runs[0]!.parts.map((part) => part[0])).toEqual(Array.from({ length: view.next - from }, (_, index) => (from + index) % 251));
    }
    expect(view.read(view.next, everything)).toBeNull();
  });

  test('[WATCH-3] runs never cross a lane or an epoch', () => {
    const view = new ViewCache({ bytesMax: 1 << 20 }).create('s');
    view.append(1, 'a', 1, [payload(1), payload(2)]);
    view.append(1, 'b', 3, [payload(3)]);
    view.append(2, 'b', 4, [payload(4), payload(5)]);
    expect(view.read(1, everything)!.map(({ epoch, lane, first, last }) => [epoch, lane, first, last]))
      .toEqual([[1, 'a', 1, 2], [1, 'b', 3, 3], [2, 'b', 4, 5]]);
  });

  test('a fragment larger than the limit is read alone', () => {
    const view = new ViewCache({ bytesMax: 1 << 20 }).create('s');
    append(view, 1, 3, 1000);
    expect(view.read(1, { ...everything, bytesMax: 10 })).toMatchObject([{ first: 1, last: 1 }]);
    expect(view.read(2, { ...everything, bytesMax: 10 })).toMatchObject([{ first: 2, last: 2 }]);
    expect(view.read(1, { ...everything, last: 2 })).toMatchObject([{ first: 1, last: 2 }]);
  });

  test('is a contiguous stretch that ends at the head: a jump or a rewind empties it', () => {
    const view = new ViewCache({ bytesMax: 1 << 20 }).create('s');
    append(view, 500, 2);
    expect([view.first, view.next]).toEqual([500, 502]);
    view.rewind(2);
    expect([view.first, view.next, view.bytes, view.cost]).toEqual([1, 1, 0, 0]);
    view.append(2, '', 1, [payload(1)]);
    expect(view.read(1, everything)).toMatchObject([{ epoch: 2, first: 1, last: 1 }]);
  });

  test('finds the fragment of a byte', () => {
    const view = new ViewCache({ bytesMax: 1 << 20 }).create('s');
    append(view, 1, 200, 10);
    expect(view.locate(0)).toEqual({ sequence: 1, before: 0 });
    expect(view.locate(1999)).toEqual({ sequence: 200, before: 1990 });
    expect(view.locate(655)).toEqual({ sequence: 66, before: 650 });
    expect(view.locate(2000)).toEqual({ sequence: 201, before: 2000 });
  });
});

describe('the cache', () => {
  test('the stream watched least recently is evicted first', () => {
    const cache = new ViewCache({ bytesMax: 64 * 1024 });
    const [old, watched] = [cache.create('old'), cache.create('watched')];
    append(watched, 1, 10, 1000);
    append(old, 1, 10, 1000);
    watched.read(1, everything);
    for (const name of ['new', 'newer', 'newest']) append(cache.create(name), 1, 11, 1200);
    expect(old.read(10, everything)).toBeNull();
    expect(watched.read(1, everything)).not.toBeNull();
  });

  test('[WATCH-4] a large stream keeps its newest part in a quarter of the cap, and the others keep theirs', () => {
    const cache = new ViewCache({ bytesMax: 1024 * 1024 });
    const [answer, view] = [cache.create('answer'), cache.create('large')];
    append(answer, 1, 100, 30);
    for (let from = 1; from <= 4000; from += 10) append(view, from, 10, 1000);
    expect(view.cost).toBeLessThanOrEqual(256 * 1024);
    expect(answer.read(1, everything)).toMatchObject([{ first: 1, last: 100 }]);
    expect(view.next).toBe(4001);
    expect(view.first).toBeGreaterThan(3000);
    expect(view.read(4000, everything)).toMatchObject([{ first: 4000, last: 4000 }]);
  });

  test('[WATCH-4] random streams stay under the cap, and what is left is right', () => {
    const step = fc.record({
      stream: fc.nat(4), count: fc.integer({ min: 1, max: 90 }), bytes: fc.integer({ min: 0, max: 3000 }),
      lane: fc.constantFrom('', 'x'), what: fc.constantFrom('append', 'append', 'append', 'read', 'rewind', 'dispose'),
    });
    fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const cache = new ViewCache({ bytesMax: 100_000 });
      const views = Array.from({ length: 5 }, (_, index) => cache.create(String(index)));
      const content: Uint8Array[][] = views.map(() => []);
      for (const { stream, count, bytes, lane, what } of steps) {
        const view = views[stream]!;
        const all = content[stream]!;
        if (what === 'rewind' || what === 'dispose') {
          all.length = 0;
          if (what === 'rewind') view.rewind(2);
          else view.dispose();
        } else if (what === 'append') {
          const added = Array.from({ length: count }, (_, index) => payload(all.length + index, bytes));
          view.append(1, lane, all.length + 1, added);
          all.push(...added);
        }
        expect(cache.bytes).toBeLessThanOrEqual(100_000);
        expect(cache.bytes).toBe(views.reduce((sum, one) => sum + one.cost, 0));
        if (view.first >= view.next) continue;
        const runs = view.read(view.first, { ...everything, isExact: count % 2 === 0 })!;
        expect(textOf(runs.flatMap((run) => run.parts))).toBe(textOf(all.slice(view.first - 1)));
        expect(view.bytes).toBe(runs.reduce((sum, run) => sum + run.bytes, 0));
      }
    }));
  });
});
