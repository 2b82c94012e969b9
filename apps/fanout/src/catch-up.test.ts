import { eventually } from '../../../test/support/eventually';
import { appendRecord } from '../../../test/support/memory-source';
import { startServer, stopServers } from '../../../test/support/watch-server';
import { CatchUp } from './catch-up';
import type { Told } from './reader';
import type { Outlet, Subscription } from './subscription';
import type { Time } from './time';

afterEach(stopServers);

/** The event loop, one turn at a time. */
class Loop implements Time {
  private clock = 0;
  private runs: (() => void)[] = [];
  now = (): number => this.clock;
  wall = (): number => this.clock;
  after = (): never => { throw new Error('nothing here waits'); };
  soon = (run: () => void): void => void this.runs.push(run);
  spend(ms: number): void {
    this.clock += ms;
  }
  turn(): void {
    for (const run of this.runs.splice(0)) run();
  }
  get isIdle(): boolean {
    return this.runs.length === 0;
  }
}

/** Makes frames of 0.4 ms as long as it may; when `frames` are made it is at the head. */
class Behind {
  made = 0;
  constructor(private readonly loop: Loop, private readonly catchUp: CatchUp, private readonly frames: number) {}
  pump(): void {
    while (this.made < this.frames && this.catchUp.begin(this)) {
      this.loop.spend(0.4);
      this.made += 1;
    }
  }
}

describe('[WATCH-4] readers behind share the event loop', () => {
  let loop: Loop;
  let catchUp: CatchUp;
  beforeEach(() => {
    loop = new Loop();
    catchUp = new CatchUp(loop, 1);
  });

  test('one alone makes frames for a slice, and goes on in the next turn until it is at the head', () => {
    const one = new Behind(loop, catchUp, 7);
    one.pump();
    expect(one.made).toBe(3);
    loop.turn();
    expect(one.made).toBe(6);
    loop.turn();
    expect(one.made).toBe(7);
    while (!loop.isIdle) loop.turn();
    expect(one.made).toBe(7);
  });

  test('several take turns, frame by frame, and who comes does not push in', () => {
    const all = Array.from({ length: 4 }, () => new Behind(loop, catchUp, 6));
    for (const one of all) one.pump();
    expect(all.map(({ made }) => made)).toEqual([3, 0, 0, 0]);
    loop.turn();
    expect(all.map(({ made }) => made)).toEqual([4, 1, 1, 0]);
    all[1]!.pump();
    loop.turn();
    expect(all.map(({ made }) => made)).toEqual([5, 2, 1, 1]);
    for (let turns = 0; !loop.isIdle; turns += 1) {
      expect(turns).toBeLessThan(10);
      loop.turn();
    }
    expect(all.map(({ made }) => made)).toEqual([6, 6, 6, 6]);
  });

  test('who comes after a slice in the same turn waits for the next', () => {
    const [first, second] = [new Behind(loop, catchUp, 6), new Behind(loop, catchUp, 1)];
    first.pump();
    loop.turn();
    second.pump();
    expect(second.made).toBe(0);
    loop.turn();
    expect(second.made).toBe(1);
  });
});

/** A transport that takes everything, each frame at the price of a millisecond. */
class Costly implements Outlet {
  readonly isWritable = true;
  fragments = 0;
  frames = 0;
  onFrame: () => void = () => undefined;
  deliver(_subscription: Subscription, told: Told[]): void {
    for (const until = performance.now() + 1; performance.now() < until;);
    this.frames += 1;
    for (const one of told) if (one.kind === 'fragments') this.fragments = one.run.last;
    this.onFrame();
  }
  blocked = (): void => undefined;
  finished = (): void => undefined;
  failed = (): void => undefined;
}

test('[WATCH-4] a reader that is far behind and takes all at once does not hold up one that is live', async () => {
  const server = await startServer({ frameBytesMax: 1_000 });
  const { no } = await server.open();
  for (let seq = 1; seq <= 400; seq += 1) await server.put(no, appendRecord(seq, ['x'.repeat(500)]));
  const watch = async (outlet: Outlet, sequence: number): Promise<Subscription> => {
    const entry = await server.delivery.options.source.open(no);
    const place = { generation: 1, sequence, isFinished: false };
    return server.delivery.subscription(server.delivery.reader(entry, place), entry, outlet, 0);
  };
  const [behind, live] = [new Costly(), new Costly()];
  const subscriptions = [await watch(live, 400), await watch(behind, 0)];
  let framesBefore = Infinity;
  live.onFrame = () => { framesBefore = Math.min(framesBefore, behind.frames); };
  for (const subscription of subscriptions) subscription.pump();
  await server.put(no, appendRecord(401, ['now']));
  await eventually(() => expect([live.fragments, behind.fragments]).toEqual([401, 401]));
  // Of two hundred. Each turn of the loop it takes a fragment to come through costs one.
  expect(framesBefore).toBeLessThan(100);
  for (const subscription of subscriptions) subscription.stop();
});
