import { Table } from '@rivulet/log';
import type { Log } from '@rivulet/log';
import { decodeLifecycle, isNewer } from '@rivulet/protocol';
import type { FinalFacts, OpenFacts, PublicStatus, Version } from '@rivulet/protocol';

/** What a plugin host keeps of the lifecycle of a stream that was opened for a request. */
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

type Listener = (streamNo: string, fact: StreamFact | null) => void;

/** The streams of requests, as their owners publish them: a projection of the log, the newest final ones bounded in number. */
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
    if (this.finals.size <= this.finalStreamsMax) return;
    const oldest = this.finals.values().next().value as string;
    this.finals.delete(oldest);
    this.table.forget(oldest);
  }
}

function factOf(bytes: Buffer): StreamFact | null {
  const value = decodeLifecycle(bytes);
  if (typeof value.open.metadata[PLUGIN_KEY] !== 'string') return null;
  const { streamNo, version, status, open, openedAt, epoch, writerRun: run = '', sequence, bytes: size, checksum, final, attempts } = value;
  const attemptId = attempts.at(-1)?.attemptId ?? '';
  return { streamNo, version, status, open, openedAt, epoch, attemptId, run, sequence, bytes: size, checksum, final };
}

export const isOver = ({ final, status }: StreamFact): boolean => final !== null || status === 'deleted';
