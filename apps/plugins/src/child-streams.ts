import type { Content, HistoryTurn, PluginStream } from '@rivulet/plugin-sdk';
import type { FromChild, ToChild } from './plugin-messages';

interface Waiter { resolve(turns: HistoryTurn[]): void; reject(error: Error): void }
interface Open { n: number; waiters: Map<number, Waiter>; abort: AbortController }

const failure = (code: string, message: string): Error => Object.assign(new Error(message), { code });

/** The plugin's side of its streams: every write waits for the host's word that there is room. */
export class ChildStreams {
  private readonly streams = new Map<number, Open>();

  constructor(private readonly say: (message: FromChild) => void) {}

  open(id: number): PluginStream {
    const { abort } = this.entry(id);
    const done = async (waiting: Promise<HistoryTurn[]>): Promise<void> => void (await waiting);
    return {
      signal: abort.signal,
      write: (content: Content, { lane } = {}) =>
        done(this.ask(id, (n) => ({ type: 'write', id, n, content, ...(lane === undefined ? {} : { lane }) }))),
      flush: () => done(this.ask(id, (n) => ({ type: 'flush', id, n }))),
      rewind: () => done(this.ask(id, (n) => ({ type: 'rewind', id, n }))),
      progress: (progress) => this.say({ type: 'progress', id, ...progress }),
    };
  }

  history(id: number, channel: string, turnsMax: number): Promise<HistoryTurn[]> {
    this.entry(id);
    return this.ask(id, (n) => ({ type: 'history', id, n, channel, turnsMax }));
  }

  take(message: Extract<ToChild, { type: 'done' | 'refused' | 'stop' }>): void {
    const stream = this.streams.get(message.id);
    if (!stream) return;
    if (message.type === 'stop') {
      stream.abort.abort(failure(message.code, message.message));
      return;
    }
    const waiter = stream.waiters.get(message.n);
    stream.waiters.delete(message.n);
    if (message.type === 'done') waiter?.resolve(message.turns ?? []);
    else waiter?.reject(failure(message.code, message.message));
  }

  close(id: number): void {
    const stream = this.streams.get(id);
    this.streams.delete(id);
    for (const waiter of stream?.waiters.values() ?? []) waiter.reject(failure('STREAM_FINAL', 'The answer is over.'));
  }

  private ask(id: number, message: (n: number) => FromChild): Promise<HistoryTurn[]> {
    const stream = this.streams.get(id);
    if (!stream) return Promise.reject(failure('STREAM_FINAL', 'The answer is over.'));
    if (stream.abort.signal.aborted) return Promise.reject(stream.abort.signal.reason as Error);
    stream.n += 1;
    const { n } = stream;
    const waiting = new Promise<HistoryTurn[]>((resolve, reject) => stream.waiters.set(n, { resolve, reject }));
    // A write that is not awaited and fails must not end the process: the signal has told the plugin already.
    waiting.catch(() => undefined);
    this.say(message(n));
    return waiting;
  }

  private entry(id: number): Open {
    let entry = this.streams.get(id);
    if (!entry) this.streams.set(id, (entry = { n: 0, waiters: new Map(), abort: new AbortController() }));
    return entry;
  }
}
