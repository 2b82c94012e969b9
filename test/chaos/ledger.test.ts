import { SessionRecord } from '../support/session-record';
import { Ledger } from './ledger';
import { pausesDuring } from './pauses';
import { Random } from './random';

const sessionOf = (kind: string, startedAt: number, pauses: [number, number][], endedAt = Infinity) =>
  ({ record: new SessionRecord(kind, 's'), kind, startedAt, endedAt, pauses: pauses.map(([from, to]) => ({ from, to })) });
const windowOf = (from: number, to: number) => ({ kind: 'x', what: 'x', from, to, isAlone: true });

describe('what was acknowledged', () => {
  test('counts each fragment once, whatever acknowledgements overlap', () => {
    const ledger = new Ledger();
    const stream = ledger.open('s', 'sdk', 'a');
    stream.acknowledge(1, 1, 3);
    stream.acknowledge(1, 1, 2);
    stream.acknowledge(1, 3, 6);
    stream.acknowledge(1, 9, 9);
    stream.acknowledge(2, 7, 8);
    expect(stream.runs.map(({ epoch, from, to }) => [epoch, from, to])).toEqual([[1, 1, 6], [1, 9, 9], [2, 7, 8]]);
    expect(ledger.acknowledged).toBe(9);
  });

  test('can be told again byte for byte, and never looks like another fragment', () => {
    const ledger = new Ledger();
    const [one, other] = [ledger.open('s', 'sdk', 'a'), ledger.open('t', 'sdk', 'b')];
    one.acknowledge(1, 1, 3);
    expect(String(one.runs[0]!.payloadOf(2))).toBe(one.payload(1, 2));
    expect(new Set([one.payload(1, 2), one.payload(2, 2), one.payload(1, 3), other.payload(1, 2)]).size).toBe(4);
  });

  test('is known from when on, for every place, through a new attempt that starts over', () => {
    const stream = new Ledger().open('s', 'sdk', 'a');
    const before = performance.now();
    stream.acknowledge(1, 1, 5);
    stream.acknowledge(2, 1, 2);
    const after = performance.now();
    for (const [epoch, sequence] of [[1, 0], [1, 4], [1, 5], [2, 1]] as const) {
      const at = stream.acknowledgedAfter(epoch, sequence);
      expect(at).toBeGreaterThanOrEqual(before);
      expect(at).toBeLessThanOrEqual(after);
    }
    expect(stream.acknowledgedAfter(2, 2)).toBe(Infinity);
  });
});

describe('pauses', () => {
  test('are the longest of each plain session that was there, in each window and shortly after', () => {
    const sessions = [
      sessionOf('sse', 0, [[100, 200], [150, 450], [9000, 9900]]),
      sessionOf('ws', 0, []),
      sessionOf('slow', 0, [[100, 5000]]),
      sessionOf('sse', 600, [[600, 900]]),
      sessionOf('ws', 0, [[10, 90]], 95),
    ];
    expect(pausesDuring([windowOf(100, 500)], sessions)).toEqual({ windows: 1, sessions: 2, p50: 300, p99: 300, max: 300 });
    expect(pausesDuring([windowOf(700, 1000)], sessions)).toMatchObject({ sessions: 3, max: 300 });
    expect(pausesDuring([], sessions)).toEqual({ windows: 0, sessions: 0, p50: 0, p99: 0, max: 0 });
  });
});

describe('a seed', () => {
  test('gives the same again, and another one something else', () => {
    const numbers = (seed: string): number[] => Array.from({ length: 20 }, ((random) => () => random.integer(1, 1000))(new Random(seed)));
    expect(numbers('7')).toEqual(numbers('7'));
    expect(numbers('7')).not.toEqual(numbers('8'));
  });

  test('stays within its bounds, reaches both, and loses nothing in a shuffle', () => {
    const random = new Random('7');
    const seen = new Set(Array.from({ length: 500 }, () => random.integer(3, 6)));
    expect([...seen].sort()).toEqual([3, 4, 5, 6]);
    expect(random.shuffled([1, 2, 3, 4, 5]).sort()).toEqual([1, 2, 3, 4, 5]);
  });

  test('of a part does not depend on how much the others took', () => {
    const [calm, busy] = [new Random('7'), new Random('7')];
    for (let i = 0; i < 10; i++) busy.next();
    expect(busy.derive('part').next()).toBe(calm.derive('part').next());
  });
});
