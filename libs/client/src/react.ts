'use client';
import { createContext, createElement, useContext, useMemo, useSyncExternalStore } from 'react';
import type { ReactElement, ReactNode } from 'react';
import type { VerdictReply } from '@rivulet/protocol';
import type { Rivulet } from './rivulet';
import { CONNECTING, IDLE, StreamStore } from './stream-store';
import type { StreamSnapshot } from './stream-store';
import type { WatchOptions } from './watching';

export type { StreamSnapshot } from './stream-store';

export interface UseStreamOptions extends Pick<WatchOptions, 'readToken' | 'transport' | 'intervalMs' | 'cache'> {
  /** Instead of the provider's. */
  client?: Rivulet;
  /** Shows only what is in this lane, such as the reasoning of an answer; '' is what is in none. Default: everything. */
  lane?: string;
}
export interface UseStream extends StreamSnapshot {
  /** Ends the stream for everybody; its producer is told. Takes a token with the scope cancel. Leaving a component never does this. */
  cancel(reason?: string): Promise<VerdictReply>;
}

const Client = createContext<Rivulet | null>(null);

/** Gives the components in it the client. Make that once, outside of components. */
export const RivuletProvider = ({ client, children }: { client: Rivulet; children?: ReactNode }): ReactElement =>
  createElement(Client.Provider, { value: client }, children);

/**
 * Watches a stream and shows it as it grows, at most one render a frame. All components that show one stream share one connection.
 * Nothing is fetched while a server renders. Another streamNo starts anew.
 * @param streamNo null or undefined: none yet
 */
export function useStream(streamNo: string | null | undefined, options: UseStreamOptions = {}): UseStream {
  const provided = useContext(Client);
  const { client = provided, readToken, transport, intervalMs, cache, lane } = options;
  if (client === null) throw new Error('useStream needs a client: put the component in <RivuletProvider client={…}>, or give the option client.');
  const view = useMemo(
    () => (streamNo ? viewOf(client, streamNo, { readToken, transport, intervalMs, cache, lane }) : NOTHING),
    [client, streamNo, readToken, transport, intervalMs, cache, lane],
  );
  const snapshot = useSyncExternalStore(view.subscribe, view.getSnapshot, view.getServerSnapshot);
  return useMemo(() => ({ ...snapshot, cancel: view.cancel }), [snapshot, view]);
}

interface View {
  subscribe(listener: () => void): () => void;
  getSnapshot(): StreamSnapshot;
  getServerSnapshot(): StreamSnapshot;
  cancel(reason?: string): Promise<VerdictReply>;
}

const NOTHING: View = {
  subscribe: () => () => undefined, getSnapshot: () => IDLE, getServerSnapshot: () => IDLE,
  cancel: () => Promise.reject(new Error('There is no stream to cancel.')),
};

/** Streams that somebody looks at now, by client and by what they are asked for with. */
const stores = new WeakMap<Rivulet, Map<string, StreamStore>>();

/**
 * What differs by nothing but the cache is one store, with the cache of the first. It begins with the first who subscribes, so that a
 * render alone, on a server or one that React drops, leaves nothing behind.
 */
function viewOf(client: Rivulet, streamNo: string, { lane, ...options }: Omit<UseStreamOptions, 'client'>): View {
  const key = JSON.stringify([streamNo, options.readToken, options.transport, options.intervalMs, lane]);
  return {
    subscribe(listener) {
      const ofClient = stores.get(client) ?? new Map<string, StreamStore>();
      stores.set(client, ofClient);
      const store = ofClient.get(key) ?? new StreamStore({
        lane, watch: (signal) => client.watch(streamNo, { ...options, signal }), onLeft: () => ofClient.delete(key),
      });
      ofClient.set(key, store);
      return store.look(listener);
    },
    getSnapshot: () => stores.get(client)?.get(key)?.current ?? CONNECTING,
    getServerSnapshot: () => CONNECTING,
    cancel: (reason) => client.cancel(streamNo, reason, options.readToken),
  };
}
