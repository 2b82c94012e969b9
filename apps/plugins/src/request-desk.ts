import { randomUUID } from 'node:crypto';
import { setTimeout as elapse } from 'node:timers/promises';
import { Table } from '@rivulet/log';
import type { Appender, Log, Membership } from '@rivulet/log';
import { StreamError } from '@rivulet/protocol';
import type { AllocatorPort, Auth } from '@rivulet/service';
import type { Logger } from 'pino';
import { Answer } from './answer';
import type { Attempt } from './answer';
import type { ChannelHistory } from './channel-history';
import { MARK } from './done-marks';
import { FinishedEvents } from './finished-events';
import type { PluginHost } from './plugin-host';
import type { Answered } from './plugin-metrics';
import type { PluginReports } from './plugin-reports';
import type { PluginSet } from './plugin-set';
import { decodeRequest, encodeRequest } from './request-record';
import type { RequestRecord } from './request-record';
import { isOver } from './stream-facts';
import type { StreamFact, StreamFacts } from './stream-facts';

export interface DeskParts {
  reports: PluginReports;
  log: Log;
  topic: string;
  facts: StreamFacts;
  plugins: PluginSet;
  allocator: AllocatorPort;
  auth: Auth;
  history: ChannelHistory;
  logger: Logger;
  ingestUrl: string;
  onAnswered(answered: Answered): void;
  /** The plugin wrote for the first time. @param askedAt ms since the epoch */
  onBegun(plugin: string, askedAt: number): void;
  /** After partitions have come to this host. */
  onAssigned(): void;
}

interface Known {
  request: RequestRecord;
  partition: number;
  isFresh: boolean;
  /** What the last answer began with. */
  begunWith?: StreamFact;
}
interface Entry { streamNo: string; partition: number; value: RequestRecord | null }

const QUEUE_BYTES_MAX = 16 * 1024 * 1024;
const BATCH_BYTES_MAX = 512 * 1024;
const DEADLINE_MS = 10_000;
const RETRY_MS = 500;
/** A stream that lifecycle does not show after this long was removed. */
const UNKNOWN_MS_MAX = 3_600_000;

/**
 * [PLUGIN-1] Who works on a request. The group shares the partitions of `rivulet.requests` out; the host that has the partition starts.
 * What decides is the log of the stream: its epoch belongs to the first run that appends in it [JUDGE-11], and a stream whose host died is
 * `lost` first and then taken over by a retry, which fences the old one [JUDGE-6]. So two hosts that both believe a request is theirs
 * write one answer, and a partition that moves stops nobody: the new host waits until the stream is final or lost.
 */
export class RequestDesk {
  private readonly appender: Appender<Entry>;
  private readonly tables = new Map<number, Table<RequestRecord>>();
  private readonly known = new Map<string, Known>();
  private readonly answers = new Map<string, Answer | null>();
  private readonly finished: FinishedEvents;
  private membership: Membership | null = null;
  private partitionCount = 0;
  private turn = 0;
  private isClosed = false;

  constructor(private readonly parts: DeskParts) {
    const { log, topic, facts, plugins, reports } = parts;
    this.appender = log.appender<Entry>({
      topic, class: 'control', queueBytesMax: QUEUE_BYTES_MAX, batchBytesMax: BATCH_BYTES_MAX, batchEntriesMax: 500, deadlineMs: DEADLINE_MS,
      encode: (entries) => entries.map(({ streamNo, value }) => ({ key: streamNo, value: value && encodeRequest(value), entries: 1 })),
    });
    this.finished = new FinishedEvents(plugins, parts.logger, (streamNo) => this.forget(streamNo));
    facts.onChange((streamNo, fact) => this.seen(streamNo, fact));
    const considerAll = (): void => { for (const streamNo of [...this.known.keys()]) this.consider(streamNo); };
    plugins.onChange(considerAll);
    reports.onChange(considerAll);
  }

  get answering(): ReadonlyMap<string, Answer | null> {
    return this.answers;
  }

  /** Of the topic; 0 until it is known. */
  get partitionsInAll(): number {
    return this.partitionCount;
  }

  get partitions(): readonly number[] {
    return [...this.tables.keys()];
  }

  /** Requests in the partitions of this host that are not done: neither final nor told to the plugin. */
  get openCount(): number {
    return this.known.size;
  }

  /** Age of the oldest request of ours that waits: for its turn, its plugin, or for whoever had begun it to be lost. */
  get oldestWaitingMs(): number {
    const { facts } = this.parts;
    const waits = ([streamNo]: [string, Known]): boolean => {
      const fact = facts.get(streamNo);
      const isAnswered = this.answers.get(streamNo)?.isBegun ?? fact?.status === 'open';
      return !isAnswered && !(fact && isOver(fact));
    };
    const oldestAt = [...this.known].filter(waits).reduce((oldest, [, { request }]) => Math.min(oldest, request.at), Date.now());
    return Date.now() - oldestAt;
  }

  async join(options: { groupId: string; sessionTimeoutMs: number; heartbeatMs: number }): Promise<void> {
    const { log, topic } = this.parts;
    this.partitionCount = await log.partitions(topic);
    this.membership = await log.join({
      ...options, topic,
      onAssigned: (partitions) => {
        for (const partition of partitions) this.open(partition);
        this.parts.onAssigned();
      },
      onRevoked: (partitions) => { for (const partition of partitions) this.close(partition); },
    });
  }

  /** Durable when it resolves. Goes to this host when the plugin runs here, else to one where it does, else to whoever is next. */
  async submit(request: RequestRecord): Promise<void> {
    const { plugins, reports } = this.parts;
    const own = plugins.host(request.plugin)?.running ? this.partitions : [];
    const able = own.length > 0 ? own : reports.partitionsOf(request.plugin);
    this.turn += 1;
    const partition = able.length > 0 ? able[this.turn % able.length]! : this.turn % Math.max(1, this.partitionCount);
    await this.appender.append(partition, { streamNo: request.streamNo, partition, value: request }, encodeRequest(request).length);
  }

  /** Gives the partitions away, lets answers finish for a while, and leaves the rest to the others. */
  async drain(finishMsMax: number): Promise<void> {
    this.isClosed = true;
    await this.membership?.leave();
    const deadline = performance.now() + finishMsMax;
    while (this.answers.size > 0 && performance.now() < deadline) await elapse(25);
    for (const answer of this.answers.values()) answer?.stop('HOST_STOPPING', 'This host stops; another one goes on.');
    await this.appender.flush();
  }

  async shut(): Promise<void> {
    for (const partition of this.partitions) this.close(partition);
    await this.appender.close();
  }

  private open(partition: number): void {
    const { log, topic, logger } = this.parts;
    if (this.tables.has(partition)) return;
    const table = new Table<RequestRecord>({
      log, topic, partitions: [partition], decode: (key, value) => (key.includes(MARK) ? null : decodeRequest(value)),
      // Asked twice with one Idempotency-Key is one stream and one request.
      isNewer: () => false,
      onUndecodable: ({ key, offset }, _, err) => logger.error({ key, partition, offset, err }, 'a request cannot be read; skipped'),
    });
    this.tables.set(partition, table);
    table.onChange((streamNo, request) => {
      if (this.tables.get(partition) !== table) return;
      if (!request) return void this.known.delete(streamNo);
      this.known.set(streamNo, { request, partition, isFresh: table.isReady });
      this.consider(streamNo);
    });
  }

  private close(partition: number): void {
    void this.tables.get(partition)?.close();
    this.tables.delete(partition);
    for (const [streamNo, known] of this.known) if (known.partition === partition) this.known.delete(streamNo);
  }

  private seen(streamNo: string, fact: StreamFact | null): void {
    const answer = this.answers.get(streamNo);
    if (answer && fact) {
      if (isOver(fact)) answer.stop(fact.status === 'cancelled' ? 'CANCELLED' : 'STREAM_FINAL', `The stream is ${fact.status}.`);
      else if (!answer.holds(fact.epoch, fact.attemptId)) answer.stop('STALE_EPOCH', 'Another attempt has taken over.');
    }
    this.consider(streamNo);
  }

  private consider(streamNo: string): void {
    const known = this.known.get(streamNo);
    if (!known || this.isClosed || this.answers.has(streamNo)) return;
    const fact = this.parts.facts.get(streamNo);
    if (!fact) {
      if (this.parts.facts.isReady && Date.now() - known.request.at > UNKNOWN_MS_MAX) this.forget(streamNo);
      return;
    }
    if (isOver(fact)) return this.finished.tell(known.request, fact);
    // The log has decided beyond it: what it decided is on its way to us, and asking again until it is here would stop this process.
    if (known.begunWith === fact) return;
    const plugin = this.parts.plugins.host(known.request.plugin);
    if (!plugin?.facts || !plugin.running) return this.passOn(known, plugin);
    // Nobody has written yet, and the request came while it was ours: ours to begin. Who else thinks so loses at its first append.
    const isUntouched = known.isFresh && fact.epoch === 1 && fact.sequence === 0 && fact.run === '';
    if (fact.status === 'lost' || isUntouched) void this.work(known, fact, plugin);
  }

  /** A host that cannot answer gives the request to one that can. Should both have it for a moment, the log decides as ever. */
  private passOn({ request, partition }: Known, plugin: PluginHost | undefined): void {
    // One that is being started will run in a moment.
    if (plugin?.state === 'starting') return;
    const able = this.parts.reports.partitionsOf(request.plugin).filter((other) => !this.tables.has(other));
    if (able.length === 0) return;
    this.known.delete(request.streamNo);
    this.turn += 1;
    const other = able[this.turn % able.length]!;
    this.appender.append(other, { streamNo: request.streamNo, partition: other, value: request }, encodeRequest(request).length)
      .then(() => this.appender.append(partition, { streamNo: request.streamNo, partition, value: null }, request.streamNo.length))
      .catch((err: unknown) => {
        this.known.set(request.streamNo, { request, partition, isFresh: false });
        this.parts.logger.warn({ streamNo: request.streamNo, err }, 'a request could not be passed on');
      });
  }

  private async work(begun: Known, fact: StreamFact, plugin: PluginHost): Promise<void> {
    const { request } = begun;
    const { streamNo } = request;
    // Taken before anything is awaited: one at a time per stream.
    this.answers.set(streamNo, null);
    begun.begunWith = fact;
    let outcome: Answered['outcome'] = 'stopped';
    let code = '';
    let isPassing = false;
    try {
      const answer = this.answer(request, await this.attemptFor(fact, plugin), plugin);
      this.answers.set(streamNo, answer);
      outcome = await answer.run();
      code = answer.code;
    } catch (error) {
      code = (error as { code?: string }).code ?? 'INTERNAL';
      isPassing = !(error instanceof StreamError) || error.row.next === 'retry';
      this.parts.logger.warn({ streamNo, plugin: request.plugin, err: error }, 'an answer was given up');
    } finally {
      this.answers.delete(streamNo);
      this.parts.onAnswered({ plugin: request.plugin, outcome, code });
    }
    const known = this.known.get(streamNo);
    // From here on only `lost` makes it ours again.
    if (known) known.isFresh = false;
    if (isPassing) await elapse(RETRY_MS);
    if (isPassing) delete begun.begunWith;
    this.consider(streamNo);
  }

  private answer(request: RequestRecord, attempt: Attempt, plugin: PluginHost): Answer {
    const { allocator, ingestUrl, history, plugins } = this.parts;
    return new Answer({
      onBegun: () => this.parts.onBegun(request.plugin, request.at),
      request, attempt, allocator, ingestUrl, facts: plugin.facts!,
      plugin: () => plugins.host(request.plugin), turn: () => plugins.turns(request.plugin).take(),
      history: (channel, turnsMax) => history.turns(request.plugin, channel, turnsMax),
    });
  }

  /** The first attempt is the open's own; a lost one is superseded. */
  private async attemptFor(fact: StreamFact, plugin: PluginHost): Promise<Attempt> {
    const { streamNo, open, openedAt, epoch } = fact;
    if (fact.status !== 'lost') {
      return { epoch, attemptId: '', writeToken: await this.parts.auth.mintWrite({ streamNo, open, openedAt, epoch }), next: 1, bytes: 0, checksum: 0 };
    }
    const keep = plugin.facts?.onFailure.keep ?? 'none';
    const attemptId = randomUUID();
    return { attemptId, ...(await this.parts.allocator.retry({ streamNo, epoch, attemptId, keep, reason: 'the host that answered was lost' })) };
  }

  private forget(streamNo: string): void {
    const known = this.known.get(streamNo);
    if (!known) return;
    this.known.delete(streamNo);
    // Not written: read again at the next start, and found final again.
    this.appender.append(known.partition, { streamNo, partition: known.partition, value: null }, streamNo.length)
      .catch((err: unknown) => this.parts.logger.warn({ streamNo, err }, 'a request that is done could not be taken off the list'));
  }
}
