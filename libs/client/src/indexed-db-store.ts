import type { Head, KeptEvent } from './cache-content';
import { evicted } from './cache-store';
import type { CacheStore } from './cache-store';

/** The part of IndexedDB that is used: the types of the DOM are not those of Node, where this is compiled too. */
interface IdbRequest<T> { result: T; error: unknown; onsuccess: (() => void) | null; onerror: (() => void) | null }
interface IdbOpenRequest extends IdbRequest<Database> { onupgradeneeded: (() => void) | null }
interface ObjectStore {
  get(key: unknown): IdbRequest<unknown>;
  getAll(range?: unknown): IdbRequest<unknown[]>;
  put(value: unknown): IdbRequest<unknown>;
  delete(key: unknown): IdbRequest<unknown>;
  clear(): IdbRequest<unknown>;
}
interface Transaction {
  objectStore(name: string): ObjectStore;
  abort(): void;
  error: unknown;
  oncomplete: (() => void) | null;
  onabort: (() => void) | null;
}
interface Database {
  createObjectStore(name: string, options: { keyPath: string | string[] }): unknown;
  transaction(names: string[], mode: 'readonly' | 'readwrite'): Transaction;
  close(): void;
  onversionchange: (() => void) | null;
  onclose: (() => void) | null;
}
interface Globals {
  indexedDB?: { open(name: string, version: number): IdbOpenRequest };
  IDBKeyRange: { bound(lower: unknown, upper: unknown): unknown };
}
const globals = globalThis as unknown as Globals;

const HEADS = 'heads';
const BATCHES = 'batches';
interface StoredBatch { streamNo: string; number: number; events: KeptEvent[] }

/** Some browsers throw at the very mention of it (storage switched off). */
export function hasIndexedDb(): boolean {
  try {
    return globals.indexedDB !== undefined;
  } catch {
    return false;
  }
}

/**
 * One database for all tabs of an origin. Every change is one readwrite transaction over heads and batches, so tabs come one after another
 * and each sees what the one before it wrote.
 */
export function indexedDbStore(name = 'rivulet-cache'): CacheStore {
  let opening: Promise<Database> | null = null;
  const database = (): Promise<Database> => (opening ??= openDatabase(name, () => (opening = null)));

  async function transact<T>(mode: 'readonly' | 'readwrite', work: (heads: ObjectStore, batches: ObjectStore) => Promise<T>): Promise<T> {
    const transaction = (await database()).transaction([HEADS, BATCHES], mode);
    const committed = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error('The transaction was aborted.'));
    });
    committed.catch(() => undefined);
    const result = await work(transaction.objectStore(HEADS), transaction.objectStore(BATCHES));
    await committed;
    return result;
  }

  return {
    read: (streamNo) => transact('readonly', async (heads, batches) => {
      const head = await done(heads.get(streamNo) as IdbRequest<Head | undefined>);
      if (head === undefined) return null;
      const kept = await done(batches.getAll(batchesOf(streamNo)) as IdbRequest<StoredBatch[]>);
      return { head, events: kept.flatMap(({ events }) => events) };
    }),
    write: (streamNo, decide, limits) => transact('readwrite', async (heads, batches) => {
      const kept = (await done(heads.get(streamNo) as IdbRequest<Head | undefined>)) ?? null;
      const change = decide(kept);
      if (change === null) return;
      if (change.isFresh) await done(batches.delete(batchesOf(streamNo)));
      const { head, events } = change;
      await done(batches.put({ streamNo, number: head.batches, events } satisfies StoredBatch));
      await done(heads.put({ ...head, batches: head.batches + 1 }));
      for (const one of evicted(await done(heads.getAll() as IdbRequest<Head[]>), limits, Date.now())) await forget(heads, batches, one);
    }),
    remove: (streamNo) => transact('readwrite', (heads, batches) => forget(heads, batches, streamNo)),
    clear: () => transact('readwrite', async (heads, batches) => {
      await done(heads.clear());
      await done(batches.clear());
    }),
  };
}

async function forget(heads: ObjectStore, batches: ObjectStore, streamNo: string): Promise<void> {
  await done(heads.delete(streamNo));
  await done(batches.delete(batchesOf(streamNo)));
}

/** Lists sort after numbers, so this is every number. */
const batchesOf = (streamNo: string): unknown => globals.IDBKeyRange.bound([streamNo], [streamNo, []]);

function done<T>(request: IdbRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function openDatabase(name: string, closed: () => void): Promise<Database> {
  const request = globals.indexedDB!.open(name, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(HEADS, { keyPath: 'streamNo' });
    request.result.createObjectStore(BATCHES, { keyPath: ['streamNo', 'number'] });
  };
  try {
    const database = await done(request);
    // Another tab deletes it or has a newer version: holding on would block that one.
    database.onversionchange = () => {
      database.close();
      closed();
    };
    database.onclose = closed;
    return database;
  } catch (error) {
    closed();
    throw error;
  }
}
