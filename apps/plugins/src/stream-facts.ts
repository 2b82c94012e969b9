import { Table } from '@rivulet/log';
import type { Log } from '@rivulet/log';
import { decodeLifecycle, isNewer } from '@rivulet/protocol';
import type { FinalFacts, OpenFacts, PublicStatus, Version } from '@rivulet/protocol';
import { ASK_KEY, isPluginName, TELL_KEY } from '@rivulet/service';

/** What a plugin host keeps of the lifecycle of a stream that was opened for a request, or is bound to a plugin. */
export interface StreamFact {
  streamNo: string;
  version: Version;
  status: PublicStatus;
  open: OpenFacts;
  openedAt: number;
  epoch: number;
  /** Of the current epoch; '' for the first. */
  attemptId: string;
  /** Who holds the epoch [JUDGE-11]; '' when nobody has appended yet. */
  run: string;
  sequence: number;
  bytes: number;
  checksum: number;
  final: FinalFacts | null;
}

/** Metadata of a stream that names the plugin which answers on it. */
export const PLUGIN_KEY = 'plugin';
export const INPUT_KEY = 'input';
/** Metadata of an answer to a bound stream: its streamNo. */
export const REPLY_KEY = 'inReplyTo';

type Listener = (streamNo: string, fact: StreamFact | null) => void;

/** The streams of requests and the bound ones, as their owners publish them: a projection of the log, of the final ones the newest. */
export class StreamFacts {
  readonly ready: Promise<void>;
  private readonly table: Table<StreamFact>;
  private readonly listeners = new Set<Listener>();
  /** Oldest first. */
  private readonly finals = new Set<string>();

  constructor(log: Log, topic: string, private readonly finalStreamsMax: number, onUndecodable: (facts: object) => void) {
    this.table = new Table<StreamFact>({
      log, topic,
      decode: (key, value) => (key.startsWith('#') ? null : factOf(value)),
      isNewer: (a, b) => (b.final !== null && a.final === null && a.status !== 'deleted' ? false : isNewer(a.version, b.version)),
      onUndecodable: (record, partition, err) => onUndecodable({ partition, offset: record.offset, err }),
    });
    this.table.onChange((streamNo, fact) => this.take(streamNo, fact));
    this.ready = this.table.ready;
  }

  get isReady(): boolean {
    return this.table.isReady;
  }

  get(streamNo: string): StreamFact | undefined {
    return this.table.get(streamNo);
  }

  /** Ended streams of one plugin in a channel, oldest first. */
  ended(plugin: string, channel: string): StreamFact[] {
    const found = [...this.table.values()].filter(({ status, open }) => status === 'ended' && open.channel === channel && open.metadata[PLUGIN_KEY] === plugin);
    return found.sort((a, b) => a.openedAt - b.openedAt);
  }

  onChange(listener: Listener): void {
    this.listeners.add(listener);
  }

  close(): Promise<void> {
    return this.table.close();
  }

  private take(streamNo: string, fact: StreamFact | null): void {
    if (fact?.final) this.finals.add(streamNo);
    if (fact === null) this.finals.delete(streamNo);
    for (const listener of this.listeners) listener(streamNo, fact);
    if (fact?.status === 'deleted') {
      this.finals.delete(streamNo);
      this.table.forget(streamNo);
    }
    if (this.finals.size <= this.finalStreamsMax) return;
    const oldest = this.finals.values().next().value as string;
    this.finals.delete(oldest);
    this.table.forget(oldest);
  }
}

function factOf(bytes: Buffer): StreamFact | null {
  const value = decodeLifecycle(bytes);
  const { metadata } = value.open;
  // Of a stream that was removed the metadata is gone too: whoever knows it knows what it was.
  const isOfPlugins = typeof metadata[PLUGIN_KEY] === 'string' || metadata[ASK_KEY] !== undefined || metadata[TELL_KEY] !== undefined;
  if (!isOfPlugins && value.status !== 'deleted') return null;
  const { streamNo, version, status, open, openedAt, epoch, writerRun: run = '', sequence, bytes: size, checksum, final, attempts } = value;
  const attemptId = attempts.at(-1)?.attemptId ?? '';
  return { streamNo, version, status, open, openedAt, epoch, attemptId, run, sequence, bytes: size, checksum, final };
}

/** @returns the plugin that the stream asks, or null */
export const askedOf = ({ open: { metadata: { [ASK_KEY]: name } } }: StreamFact): string | null => (isPluginName(name) ? name : null);

/** @returns the plugins that are to be told of the stream */
export function toldOf({ open: { metadata: { [TELL_KEY]: names } } }: StreamFact): string[] {
  return Array.isArray(names) ? names.filter(isPluginName) : [];
}

export const isOver = ({ final, status }: StreamFact): boolean => final !== null || status === 'deleted';
