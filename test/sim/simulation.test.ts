import { encodeLifecycle, decodeLifecycle, decodeOwner, encodeOwner, OWNER_KEY } from '@rivulet/protocol';
import type { LogBatch, RecordToAppend } from '@rivulet/log';
import { StreamView } from '../../apps/fanout/src/stream-view';
import { Random } from './random';
import { REGRESSIONS } from './regressions';
import { SimBroker } from './sim-broker';
import { SimSession } from './sim-session';
import type { SimHooks } from './sim-world';
import { simulate, SimulationFailed } from './simulate';
import { SimProcess, VirtualLoop } from './virtual-loop';

/** A mistake that is noticed at all is noticed within so many seeds. */
const SEEDS_MAX = 80;

afterEach(() => jest.restoreAllMocks());

/** Runs seeds until one fails. @returns what it says */
async function firstFailure(hooks: SimHooks = {}): Promise<string> {
  for (let seed = 1; seed <= SEEDS_MAX; seed += 1) {
    try {
      await simulate(seed, hooks);
    } catch (error) {
      if (!(error instanceof SimulationFailed)) throw error;
      return error.message;
    }
  }
  return `nothing was noticed in ${SEEDS_MAX} seeds`;
}

/** What reaches the log is not what was sent. */
function tamper(change: (records: readonly RecordToAppend[], topic: string, broker: SimBroker) => readonly RecordToAppend[] | null): void {
  const { append } = SimBroker.prototype;
  jest.spyOn(SimBroker.prototype, 'append').mockImplementation(function (this: SimBroker, topic, partition, records, from) {
    const changed = change(records, topic, this);
    // Acknowledged all the same.
    return changed === null ? this.partition(topic, partition).end : append.call(this, topic, partition, changed, from);
  });
}

describe('the simulation', () => {
  test('the same seed gives the same trace, another seed another', async () => {
    const [one, two, other] = [await simulate(7), await simulate(7), await simulate(8)];
    expect(two).toEqual(one);
    expect(other.traceHash).not.toBe(one.traceHash);
  });

  test('clocks and timers of the process are its own again afterwards, also after a failure', async () => {
    const before = [setTimeout, clearTimeout, setImmediate, setInterval, performance, Date.now, Math.random];
    await simulate(1);
    await expect(simulate(1, { onWorld: () => { throw new Error('no such world'); } })).rejects.toThrow('no such world');
    expect([setTimeout, clearTimeout, setImmediate, setInterval, performance, Date.now, Math.random]).toEqual(before);
  });

  test('a seed that fails says how to run it again, with its last steps', async () => {
    const onArrival: SimHooks['onArrival'] = () => { throw new Error('a reader that breaks'); };
    const message = await firstFailure({ onArrival });
    expect(message).toMatch(/^seed \d+: a reader that breaks\nagain: npm run sim -- --seed \d+ --verbose\nits last steps:\n/);
    expect(message.split('\n').length).toBeGreaterThan(10);
  });

  test.each(REGRESSIONS)('seed $seed: $what', async ({ seed }) => {
    await simulate(seed);
  });
});

describe('what the simulation notices', () => {
  test('[APPEND-1] an acknowledged record that is not in the log', async () => {
    let count = 0;
    tamper((records, topic) => (topic === 'sim.fragments' && (count += 1) % 20 === 0 ? null : records));
    expect(await firstFailure()).toMatch('acknowledged but not in the log');
  });

  test('[WATCH-1] a reader that is told something twice', async () => {
    const { receive } = SimSession.prototype;
    jest.spyOn(SimSession.prototype, 'receive').mockImplementation(function (this: SimSession, connection, arrival) {
      receive.call(this, connection, arrival);
      if (arrival.name === 'fragment') receive.call(this, connection, arrival);
    });
    expect(await firstFailure()).toMatch(/\[WATCH-1\] fragments .* came where .* was expected/);
  });

  test('[WATCH-9] a reader that is told nothing at the end', async () => {
    const { receive } = SimSession.prototype;
    jest.spyOn(SimSession.prototype, 'receive').mockImplementation(function (this: SimSession, connection, arrival) {
      if (arrival.name !== 'final' && arrival.name !== 'closed') receive.call(this, connection, arrival);
    });
    expect(await firstFailure()).toMatch('it does not come to an end');
  });

  test('[WATCH-1] a view that loses a fragment', async () => {
    const { append } = StreamView.prototype;
    jest.spyOn(StreamView.prototype, 'append').mockImplementation(function (this: StreamView, epoch, lane, first, payloads) {
      const wrong = first === 4 ? payloads.map(() => Buffer.from('?')) : payloads;
      append.call(this, epoch, lane, first, wrong);
    });
    expect(await firstFailure()).toMatch(/fragments .* are .* instead of/);
  });

  test('[OWN-3] an owner that passes over a record', async () => {
    const onInstance: SimHooks['onInstance'] = ({ owners }) => {
      const { fold } = owners;
      let folded = 0;
      owners.fold = (batch: LogBatch) => {
        const records = batch.records.filter(() => (folded += 1) % 15 !== 0);
        return fold.call(owners, { ...batch, records });
      };
    };
    expect(await firstFailure({ onInstance })).toMatch(/is not what the log gives|is not the refold|are not|STREAM_NOT_FOUND|came where/);
  });

  test('[OWN-3] a checkpoint that is not the state of the log', async () => {
    tamper((records, topic) => (topic !== 'sim.lifecycle' ? records : records.map((record) => {
      if (record.key === OWNER_KEY || record.value === null) return record;
      const value = decodeLifecycle(record.value);
      const state = value.checkpoint?.state as { next: number; held: unknown[] } | undefined;
      if (state === undefined || state.next < 5) return record;
      return { ...record, value: encodeLifecycle({ ...value, checkpoint: { ...value.checkpoint!, state: { ...state, judgedAt: 1 } } }) };
    })));
    expect(await firstFailure()).toMatch('its checkpoint is not the refold');
  });

  test('[OWN-3] a replayFrom beyond what a replay needs', async () => {
    tamper((records, topic, broker) => (topic !== 'sim.lifecycle' ? records : records.map((record) => {
      if (record.key !== OWNER_KEY) return record;
      const owner = decodeOwner(record.value!);
      const { end } = broker.partition('sim.fragments', 0);
      return { ...record, value: encodeOwner({ ...owner, replayFrom: Math.max(owner.replayFrom, Math.min(owner.replayFrom + 6, end)) }) };
    })));
    const noticed = /\d (has another state|does not know)|is not what the log gives|is not the refold|STREAM_NOT_FOUND/;
    expect(await firstFailure()).toMatch(noticed);
  });

  test('[OWN-2] an end that everyone is told and the log does not have', async () => {
    tamper((records, topic) => (topic !== 'sim.lifecycle' ? records : records.map((record) => {
      if (record.key === OWNER_KEY || record.value === null) return record;
      const value = decodeLifecycle(record.value);
      return value.final === null ? record : { ...record, value: encodeLifecycle({ ...value, final: { ...value.final, reason: 'OTHER' } }) };
    })));
    expect(await firstFailure()).toMatch('has another end than the log');
  });

  test('[OWN-4] a tombstone of a stream that is not deleted', async () => {
    let count = 0;
    tamper((records, topic) => (topic !== 'sim.lifecycle' ? records : records.map((record) => (
      record.key !== OWNER_KEY && (count += 1) % 10 === 0 ? { ...record, value: null } : record
    ))));
    expect(await firstFailure()).toMatch(/a tombstone of .*, which is not deleted/);
  });

  test('[WATCH-4] views beyond their cap', async () => {
    const onInstance: SimHooks['onInstance'] = (instance) => {
      Object.defineProperty(instance.views, 'bytes', { get: () => instance.options.viewBytesMax + 1 });
    };
    expect(await firstFailure({ onInstance })).toMatch('bytes of views');
  });
});

describe('the virtual loop', () => {
  test('a dead process does nothing any more, a paused one all of it later, in order', async () => {
    const loop = new VirtualLoop(new Random(1));
    const [one, two] = [new SimProcess('one'), new SimProcess('two')];
    const done: string[] = [];
    for (const at of [1, 2, 3]) {
      loop.after(one, at, () => done.push(`one ${at}`));
      loop.after(two, at, () => done.push(`two ${at}`));
    }
    loop.pause(two);
    await loop.runUntil(() => loop.now >= 2, 10);
    loop.kill(one);
    loop.resume(two);
    await loop.runUntil(() => false, 10);
    expect(done).toEqual(['one 1', 'one 2', 'two 1', 'two 2', 'two 3']);
  });

  test('what an event schedules belongs to its process, with the wall clock of that process', async () => {
    const loop = new VirtualLoop(new Random(1));
    const one = new SimProcess('one');
    one.wallOffsetMs = 5_000;
    const seen: number[] = [];
    loop.install();
    try {
      loop.after(one, 10, () => {
        setTimeout(() => seen.push(Date.now() - loop.wall(new SimProcess('other'))), 20);
        clearTimeout(setTimeout(() => seen.push(-1), 5));
        setImmediate(() => seen.push(Math.round(performance.now())));
      });
      await loop.runUntil(() => false, 100);
    } finally {
      loop.restore();
    }
    expect(seen).toEqual([10, 5_000]);
  });

  test('every seed has an order of its own, and always the same', () => {
    const draw = (seed: number): number[] => {
      const random = new Random(seed);
      return Array.from({ length: 5 }, () => random.integer(0, 1_000_000));
    };
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
  });
});
