import fc from 'fast-check';
import type { FinalEvent, FragmentEvent, StreamEvent } from '@rivulet/protocol';
import { streamCache } from './cache';
import { memoryStore } from './cache-store';
import type { CacheStore } from './cache-store';
import { platform } from './platform-node';

const CONTENT = Array.from({ length: 40 }, (_, index) => [...`${index}红🌊`].slice(0, (index % 4) + 1).join(''));
const stream: StreamEvent = {
  type: 'stream', streamNo: 's', status: 'open', epoch: 1, attempt: 1, contentType: 'text/plain', merge: 'text', channel: '', metadata: {},
};
const FORMS = {
  text: (part: string[]): Partial<FragmentEvent> => ({ text: part.join('') }),
  items: (part: string[]): Partial<FragmentEvent> => ({ items: part }),
  base64: (part: string[]): Partial<FragmentEvent> => ({ base64: platform.toBase64(Buffer.from(part.join(''))) }),
};
type Form = keyof typeof FORMS;
const fragment = (form: Form, from: number, to: number, epoch = 1, content = CONTENT): FragmentEvent =>
  ({ type: 'fragment', streamNo: 's', from, to, cursor: `${epoch}.${to}`, ...FORMS[form](content.slice(from - 1, to)) });
const final = (sequence: number): FinalEvent => ({
  type: 'final', streamNo: 's', cursor: `1.${sequence}.f`, status: 'ended', reason: '', message: '', epoch: 1, sequence, bytes: 0, checksum: 0,
  digest: '', metadata: {}, at: 0,
});

/** A reader of one form; its writes wait until `settle`. */
async function tab(store: CacheStore) {
  const kept = await streamCache({ store }).open('s');
  if (kept === null) throw new Error('the memory cannot be opened');
  return kept;
}
async function keptText(store: CacheStore): Promise<{ last: number; text: string }> {
  const events = (await store.read('s'))?.events ?? [];
  const fragments = events.filter((event) => event.type === 'fragment');
  const text = fragments.map(({ text: plain, items, base64 }) => plain ?? items?.join('') ?? Buffer.from(base64!, 'base64').toString()).join('');
  fragments.forEach(({ from }, index) => expect(from).toBe((fragments[index - 1]?.to ?? 0) + 1));
  return { last: fragments.at(-1)?.to ?? 0, text };
}

test('tabs that see the same stream merged at other places keep one content, and never one with a hole or a repeat', async () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 10, maxLength: 40 });
  const form = fc.constantFrom<Form>('text', 'items', 'base64');
  /** Which tab delivers next, whether its cache writes after that, and whether the stream is evicted before. */
  const isEvicted = fc.integer({ min: 0, max: 19 }).map((number) => number === 19);
  const turn = fc.record({ tab: fc.integer({ min: 0, max: 2 }), isClosed: fc.boolean(), isEvicted });
  const turns = fc.array(turn, { minLength: 20, maxLength: 80 });
  await fc.assert(fc.asyncProperty(form, fc.tuple(cuts, cuts, cuts), turns, async (one, tabCuts, order) => {
    const store = memoryStore();
    const readers = tabCuts.map((sizes) => ({ sizes: [...sizes], next: 1, kept: tab(store) }));
    for (const { tab: index, isClosed, isEvicted: isGone } of order) {
      if (isGone) await store.remove('s');
      const reader = readers[index]!;
      const kept = await reader.kept;
      const to = Math.min(CONTENT.length, reader.next + (reader.sizes.pop() ?? 1) - 1);
      if (reader.next === 1) kept.add(stream);
      if (to >= reader.next) kept.add(fragment(one, reader.next, to));
      reader.next = to + 1;
      if (isClosed) kept.close();
      const { last, text } = await keptText(store);
      expect(text).toBe(CONTENT.slice(0, last).join(''));
    }
    for (const { kept } of readers) (await kept).close();
  }), { numRuns: 100 });
});

test('what an attempt left that started over is void, in whatever order its tabs write', async () => {
  const other = CONTENT.map((word) => `other ${word}`);
  for (const isOldLast of [false, true]) {
    const store = memoryStore();
    const [old, rewound, newcomer] = [await tab(store), await tab(store), await tab(store)];
    old.add(stream);
    old.add(fragment('text', 1, 5));
    if (!isOldLast) old.close();
    for (const kept of [rewound]) {
      kept.add(stream);
      kept.add({ type: 'rewind', streamNo: 's', epoch: 2, cursor: '2.0' });
      kept.add(fragment('text', 1, 3, 2, other));
      kept.close();
    }
    if (isOldLast) old.close();
    expect(await keptText(store)).toEqual({ last: 3, text: other.slice(0, 3).join('') });
    newcomer.add({ ...stream, epoch: 2 });
    newcomer.add(fragment('text', 1, 7, 2, other));
    newcomer.close();
    expect(await keptText(store)).toEqual({ last: 7, text: other.slice(0, 7).join('') });
  }
});

test('an attempt that goes on keeps what there was', async () => {
  const store = memoryStore();
  const [one, two] = [await tab(store), await tab(store)];
  for (const kept of [one, two]) {
    kept.add(stream);
    kept.add(fragment('text', 1, 5));
    kept.add(fragment('text', 6, 8, 2));
    kept.close();
    expect(await keptText(store)).toEqual({ last: 8, text: CONTENT.slice(0, 8).join('') });
  }
  one.add(fragment('text', 9, 9, 2));
  one.close();
  expect((await keptText(store)).last).toBe(9);
});

test('a final stream takes nothing more; a conflated one is not kept', async () => {
  const store = memoryStore();
  const one = await tab(store);
  for (const event of [stream, fragment('text', 1, 2), final(2), fragment('text', 3, 3)]) one.add(event);
  expect((await store.read('s'))?.events.map(({ type }) => type)).toEqual(['fragment', 'final']);
  await store.clear();
  const latest = await tab(store);
  for (const event of [{ ...stream, merge: 'latest' as const }, fragment('items', 1, 1)]) latest.add(event);
  latest.close();
  expect(await store.read('s')).toBeNull();
});

test('bounds hold in bytes, streams and age; the oldest goes first', async () => {
  const store = memoryStore();
  const fill = async (cache: ReturnType<typeof streamCache>, name: string): Promise<void> => {
    const kept = await cache.open(name);
    kept!.add({ ...stream, streamNo: name });
    kept!.add({ ...fragment('text', 1, 1), streamNo: name, text: 'x'.repeat(1000) });
    kept!.close();
  };
  const names = ['a', 'b', 'c', 'd'];
  const present = async (): Promise<string[]> =>
    (await Promise.all(names.map(async (name) => ((await store.read(name)) === null ? '' : name)))).filter((name) => name !== '');
  jest.useFakeTimers({ now: 1_000_000 });
  try {
    for (const name of names) {
      await fill(streamCache({ store, streamsMax: 3 }), name);
      jest.setSystemTime(Date.now() + 1_000);
    }
    expect(await present()).toEqual(['b', 'c', 'd']);
    await fill(streamCache({ store, bytesMax: 2_500 }), 'a');
    expect(await present()).toEqual(['a', 'd']);
    jest.setSystemTime(Date.now() + 60_000);
    const strict = streamCache({ store, ageMsMax: 60_000 });
    expect((await strict.open('a'))?.events).toHaveLength(2);
    expect((await strict.open('d'))?.events).toHaveLength(0);
    await fill(strict, 'b');
    expect(await present()).toEqual(['a', 'b']);
    await fill(streamCache({ store, bytesMax: 10 }), 'c');
    expect(await present()).toEqual([]);
  } finally {
    jest.useRealTimers();
  }
});
