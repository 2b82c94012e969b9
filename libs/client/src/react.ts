'use client';
import { createContext, createElement, useContext, useMemo, useSyncExternalStore } from 'react';
import type { ReactElement, ReactNode } from 'react';
import type { VerdictReply } from '@rivulet/protocol';
import type { ChannelOptions } from './channel';
import { ChannelStore, NO_STREAMS } from './channel-store';
import type { ChannelSnapshot } from './channel-store';
import type { Rivulet } from './rivulet';
import { CONNECTING, IDLE } from './stream-picture';
import type { StreamSnapshot } from './stream-picture';
import { StreamStore } from './stream-store';
import type { WatchOptions } from './watching';

export type { ChannelSnapshot, ChannelStreamSnapshot } from './channel-store';
export type { StreamSnapshot } from './stream-picture';

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
  const { readToken, transport, intervalMs, cache, lane } = options;
  const client = useClient('useStream', options.client);
  const view = useMemo(
    () => (streamNo ? viewOfStream(client, streamNo, { readToken, transport, intervalMs, cache, lane }) : NOTHING),
    [client, streamNo, readToken, transport, intervalMs, cache, lane],
  );
  const snapshot = useSyncExternalStore(view.subscribe, view.getSnapshot, view.getServerSnapshot);
  return useMemo(() => ({ ...snapshot, cancel: view.cancel }), [snapshot, view]);
}

export interface UseChannelOptions extends Pick<ChannelOptions, 'readToken' | 'ended'> {
  /** Instead of the provider's. */
  client?: Rivulet;
}

/**
 * Watches a channel: its streams, those that are opened meanwhile too, each with its text or items and its status. As `useStream`, over one
 * connection for all of them.
 * @param channel null or undefined: none yet
 */
export function useChannel(channel: string | null | undefined, options: UseChannelOptions = {}): ChannelSnapshot {
  const { readToken, ended } = options;
  const client = useClient('useChannel', options.client);
  const view = useMemo(
    () => (channel ? viewOfChannel(client, channel, { readToken, ended }) : NO_CHANNEL),
    [client, channel, readToken, ended],
  );
  return useSyncExternalStore(view.subscribe, view.getSnapshot, view.getServerSnapshot);
}

function useClient(hook: string, given: Rivulet | undefined): Rivulet {
  const provided = useContext(Client);
  const client = given ?? provided;
  if (client === null) throw new Error(`${hook} needs a client: put the component in <RivuletProvider client={…}>, or give the option client.`);
  return client;
}

interface View<Snapshot> {
  subscribe(listener: () => void): () => void;
  getSnapshot(): Snapshot;
  getServerSnapshot(): Snapshot;
}
type StreamView = View<StreamSnapshot> & Pick<UseStream, 'cancel'>;

const NOTHING: StreamView = {
  subscribe: () => () => undefined, getSnapshot: () => IDLE, getServerSnapshot: () => IDLE,
  cancel: () => Promise.reject(new Error('There is no stream to cancel.')),
};
const NO_CHANNEL: View<ChannelSnapshot> = {
  subscribe: () => () => undefined, getSnapshot: () => NO_STREAMS, getServerSnapshot: () => NO_STREAMS,
};

interface Store<Snapshot> { readonly current: Snapshot; look(listener: () => void): () => void }
/** What somebody looks at now, by client and by what it is asked for with. */
type Stores<Kind> = WeakMap<Rivulet, Map<string, Kind>>;
const streams: Stores<StreamStore> = new WeakMap();
const channels: Stores<ChannelStore> = new WeakMap();

/**
 * What differs by nothing but the cache is one store, with the cache of the first. It begins with the first who subscribes, so that a
 * render alone, on a server or one that React drops, leaves nothing behind.
 */
function viewOf<Snapshot, Kind extends Store<Snapshot>>(
  stores: Stores<Kind>, client: Rivulet, key: string, before: Snapshot, make: (onLeft: () => void) => Kind,
): View<Snapshot> {
  return {
    subscribe(listener) {
      const ofClient = stores.get(client) ?? new Map<string, Kind>();
      stores.set(client, ofClient);
      const store = ofClient.get(key) ?? make(() => ofClient.delete(key));
      ofClient.set(key, store);
      return store.look(listener);
    },
    getSnapshot: () => stores.get(client)?.get(key)?.current ?? before,
    getServerSnapshot: () => before,
  };
}

function viewOfStream(client: Rivulet, streamNo: string, { lane, ...options }: Omit<UseStreamOptions, 'client'>): StreamView {
  const key = JSON.stringify([streamNo, options.readToken, options.transport, options.intervalMs, lane]);
  const watch = (signal: AbortSignal): ReturnType<Rivulet['watch']> => client.watch(streamNo, { ...options, signal });
  return {
    ...viewOf(streams, client, key, CONNECTING, (onLeft) => new StreamStore({ lane, watch, onLeft })),
    cancel: (reason) => client.cancel(streamNo, reason, options.readToken),
  };
}

function viewOfChannel(client: Rivulet, channel: string, options: Omit<UseChannelOptions, 'client'>): View<ChannelSnapshot> {
  const key = JSON.stringify([channel, options.readToken, options.ended]);
  const watch = (signal: AbortSignal): ReturnType<Rivulet['watchChannel']> => client.watchChannel(channel, { ...options, signal });
  return viewOf(channels, client, key, NO_STREAMS, (onLeft) => new ChannelStore({ watch, onLeft }));
}
