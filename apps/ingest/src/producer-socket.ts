import type { WebSocket } from 'ws';
import { problemOf, StreamError } from '@rivulet/protocol';
import type { AppendAck, ProduceReply } from '@rivulet/protocol';
import type { KeyQuota, Principal } from '@rivulet/service';
import { refusalOf } from './admission';
import type { Admitted } from './admission';
import type { FragmentRun, Route } from './append-entry';
import type { Lifeline } from './leases';
import { ackOf, mergeAck } from './line-response';
import { parseJsonAppend } from './parse-append';
import { parseProduceFrame } from './produce-frame';
import type { AppendFrame, ControlFrame } from './produce-frame';
import type { Producing } from './producing';
import { turn } from './turn';

/** A stream this socket writes to. */
interface SocketStream {
  route: Route;
  acks: AppendAck[];
  /** Sequence of the first append that failed, until the producer resends it; 0: none. [APPEND-2] */
  failedSeq: number;
  /** Raised by each failure: acknowledgements of what was sent before it no longer count. */
  generation: number;
  unsubscribe(): void;
}

/** Sent and not read by the client: above the first nothing more is acknowledged until it reads, above the second it is cut off. */
const UNREAD_BYTES_MAX = 256 * 1024;
const UNREAD_BYTES_CUT = 4 * 1024 * 1024;
const PINGS_MISSED_MAX = 3;
const GOING_AWAY = 1001;
/** A peer that does not answer a close is cut off, so that it does not hold up a drain. */
const CLOSE_MS_MAX = 1000;

/**
 * `WS /v1/streams/ws`: many streams on one socket. Frames are taken in their order; while one has to wait (a credential, a full window)
 * those behind it wait too, and the socket is not read [APPEND-5].
 */
export class ProducerSocket {
  private readonly streams = new Map<string, SocketStream>();
  private readonly tokens = new Map<string, Principal>();
  private principal: Principal | null = null;
  private readonly lifeline: Lifeline;
  private readonly backlog: string[] = [];
  private isBusy = false;
  private bytesInFlight = 0;
  private onRoom: (() => void) | null = null;
  private readonly unsent = new Set<SocketStream>();
  private isAckScheduled = false;
  private missedPings = 0;
  private readonly pinger: NodeJS.Timeout;
  private readonly forget: () => void;

  constructor(
    private readonly parts: Producing,
    private readonly ws: WebSocket,
    authorization: string | undefined,
    private readonly requestId: string,
  ) {
    this.lifeline = parts.leases.connect();
    this.forget = parts.connections.add({ kind: 'ws', stop: (reason) => this.stop(reason) });
    this.pinger = setInterval(() => this.ping(), parts.settings.pingMs);
    ws.on('message', (bytes, isBinary) => this.take(isBinary ? null : (bytes as Buffer).toString('utf8')));
    // [APPEND-7] Only an answer proves life: a half-open socket takes pings for a long time.
    ws.on('pong', () => this.prove());
    ws.on('close', () => this.close());
    if (authorization !== undefined) this.whileBusy(this.authenticate(authorization));
    this.send({ type: 'ready', windowBytes: parts.settings.windowBytesMax });
  }

  private take(text: string | null): void {
    this.prove();
    if (text === null) return this.problem(new StreamError('FRAME_INVALID', { detail: 'Frames are JSON text.' }));
    if (this.isBusy) {
      this.backlog.push(text);
      this.ws.pause();
    } else this.frame(text);
  }

  private frame(text: string): void {
    try {
      const frame = parseProduceFrame(text);
      if (frame.type === 'append') this.append(frame);
      else this.control(frame);
    } catch (error) {
      this.problem(error);
    }
  }

  /** Frames wait until the work is done; its error is the frame's. */
  private whileBusy(work: Promise<void>, streamNo?: string): void {
    this.isBusy = true;
    work.catch((error: unknown) => this.problem(error, streamNo)).finally(() => {
      this.isBusy = false;
      this.drainBacklog();
    });
  }

  private drainBacklog(): void {
    while (!this.isBusy && this.backlog.length > 0) this.frame(this.backlog.shift()!);
    if (!this.isBusy && this.ws.isPaused) this.ws.resume();
  }

  // ---- append ----

  private append(frame: AppendFrame): void {
    const stream = this.streams.get(frame.streamNo);
    // The usual frame: its stream is known here, so nothing has to be awaited.
    if (stream && isSameWriter(stream.route, frame)) {
      const held = this.appendTo(stream, frame);
      if (held) this.whileBusy(held, frame.streamNo);
    } else this.whileBusy(this.join(frame).then((joined) => this.appendTo(joined, frame)), frame.streamNo);
  }

  /** @returns what the next frame has to wait for, when it has to */
  private appendTo(stream: SocketStream, frame: AppendFrame): Promise<void> | undefined {
    let runs: FragmentRun[];
    try {
      runs = parseJsonAppend(frame, stream.route.rules);
    } catch (error) {
      this.problem(error, frame.streamNo);
      return undefined;
    }
    const waitMs = stream.route.quota ? reserve(stream.route.quota, runs) : 0;
    if (waitMs > 0) return this.appendInTurn(stream, runs, waitMs);
    this.appendRuns(stream, runs);
    return undefined;
  }

  /** [APPEND-13] Over its quota the socket is not read until it is its turn. */
  private async appendInTurn(stream: SocketStream, runs: FragmentRun[], waitMs: number): Promise<void> {
    const { streamNo } = stream.route;
    await turn(waitMs, () => this.prove(), () => this.ws.readyState !== this.ws.OPEN);
    // Left meanwhile: it was told why, and this would only be refused by the log.
    if (this.ws.readyState === this.ws.OPEN && this.streams.get(streamNo) === stream) this.appendRuns(stream, runs);
  }

  private appendRuns(stream: SocketStream, runs: FragmentRun[]): void {
    const firstSeq = runs[0]!.firstSeq;
    if (stream.failedSeq > 0 && firstSeq > stream.failedSeq) return;
    stream.failedSeq = 0;
    for (const run of runs) this.appendRun(stream, run);
    this.waitForRoom(stream);
  }

  private appendRun(stream: SocketStream, run: FragmentRun): void {
    const { appender, metrics } = this.parts;
    const { generation } = stream;
    const startedAt = performance.now();
    this.bytesInFlight += run.bytes;
    this.lifeline.wrote(stream.route.streamNo, startedAt);
    appender.append(stream.route, run).then(
      () => {
        metrics.took(startedAt);
        metrics.acknowledged(run);
        this.settle(run.bytes);
        if (generation === stream.generation) this.acknowledge(stream, run);
      },
      (error: unknown) => {
        this.settle(run.bytes);
        if (generation !== stream.generation) return;
        // [APPEND-2] What follows on this socket fails with it, until the producer resends from here.
        stream.generation += 1;
        stream.failedSeq = run.firstSeq;
        this.problem(error, stream.route.streamNo);
      },
    );
  }

  /**
   * The window: what is on its way is bounded per socket, what waits for the partition by its queue. A socket is read in order, so
   * streams of both classes on one share its pauses: a producer of both uses one for each.
   */
  private waitForRoom(stream: SocketStream): void {
    const { appender, settings } = this.parts;
    const { partition } = stream.route;
    const isFull = this.bytesInFlight > settings.windowBytesMax || this.ws.bufferedAmount > UNREAD_BYTES_MAX;
    if (this.isBusy || (!isFull && appender.hasRoom(partition, 0))) return;
    this.send({ type: 'window', bytes: 0 });
    this.whileBusy(this.room(partition).then(() => this.send({ type: 'window', bytes: settings.windowBytesMax })));
  }

  private async room(partition: number): Promise<void> {
    const { appender, settings } = this.parts;
    const isFull = (): boolean => this.bytesInFlight > settings.windowBytesMax / 2 || this.ws.bufferedAmount > UNREAD_BYTES_MAX;
    while (isFull()) await new Promise<void>((resolve) => (this.onRoom = resolve));
    await appender.room(partition, 0);
  }

  private settle(bytes: number): void {
    this.bytesInFlight -= bytes;
    this.wakeRoom();
  }

  private wakeRoom(): void {
    this.onRoom?.();
    this.onRoom = null;
  }

  private acknowledge(stream: SocketStream, run: FragmentRun): void {
    mergeAck(stream.acks, ackOf(run));
    this.unsent.add(stream);
    if (this.isAckScheduled) return;
    this.isAckScheduled = true;
    // All acknowledgements of one flush come in one go of microtasks: consecutive ones leave as one frame.
    queueMicrotask(() => this.sendAcks());
  }

  private sendAcks(): void {
    this.isAckScheduled = false;
    if (this.ws.bufferedAmount > UNREAD_BYTES_MAX) return;
    for (const stream of this.unsent) {
      for (const ack of stream.acks) this.send({ type: 'ack', streamNo: stream.route.streamNo, ...ack });
      stream.acks = [];
    }
    this.unsent.clear();
  }

  // ---- streams ----

  private async join(writer: { streamNo: string; epoch?: number; run?: string }): Promise<SocketStream> {
    const { streamNo } = writer;
    const route = await this.parts.admission.route(this.admit(streamNo, 'write'), { epoch: writer.epoch, run: writer.run });
    // What listens now would never be unsubscribed: the socket has closed meanwhile.
    if (this.ws.readyState !== this.ws.OPEN) throw new StreamError('NOT_READY', { detail: 'The socket is closed.', retryAfterMs: 1000 });
    this.leave(streamNo);
    if (this.streams.size >= this.parts.settings.socketStreamsMax) {
      throw new StreamError('OVERLOADED', { detail: 'This socket writes to as many streams as it may.', retryAfterMs: 1000 });
    }
    const unsubscribe = this.parts.table.onChange(streamNo, (known) => {
      const refusal = refusalOf(known, route);
      if (refusal) this.push(streamNo, refusal);
    });
    const stream: SocketStream = { route, acks: [], failedSeq: 0, generation: 0, unsubscribe };
    this.streams.set(streamNo, stream);
    this.lifeline.hold(route);
    return stream;
  }

  private leave(streamNo: string): void {
    this.streams.get(streamNo)?.unsubscribe();
    this.streams.delete(streamNo);
    this.lifeline.release(streamNo);
  }

  /** A cancel, a newer attempt, an end by another: the producer learns of it at once. Its own end it learns by the verdict. */
  private push(streamNo: string, refusal: StreamError): void {
    this.leave(streamNo);
    const { status, reason } = refusal.details as { status?: string; reason?: string };
    if (status === 'cancelled') this.send({ type: 'cancelled', streamNo, reason: reason ?? '' });
    else if (status !== 'ended') this.problem(refusal, streamNo);
  }

  private admit(streamNo: string, scope: 'write' | 'cancel'): Admitted {
    const principal = this.tokens.get(streamNo) ?? this.principal;
    if (!principal) throw new StreamError('UNAUTHENTICATED', { detail: 'Send an auth frame first.' });
    return this.parts.admission.admitAs(principal, streamNo, scope);
  }

  // ---- control frames ----

  private control(frame: ControlFrame): void {
    if (frame.type === 'auth') return this.whileBusy(this.authenticate(`Bearer ${frame.token}`));
    if (frame.type === 'open') return this.whileBusy(this.open(frame).catch((error: unknown) => this.problem(error, undefined, frame.id)));
    // Verdicts take time and do not hold up other frames; the record itself is queued behind the appends before it.
    this.conclude(frame).catch((error: unknown) => this.problem(error, frame.streamNo));
  }

  private async conclude(frame: Exclude<ControlFrame, { type: 'auth' | 'open' }>): Promise<void> {
    const { allocator, verdicts } = this.parts;
    const { streamNo } = frame;
    if (frame.type === 'cancel') {
      const { principal } = this.admit(streamNo, 'cancel');
      const verdict = await allocator.cancel({ streamNo, by: principal.id, reason: frame.reason ?? '' });
      return this.send({ type: 'verdict', kind: 'cancel', ...verdict });
    }
    const admitted = this.admit(streamNo, 'write');
    const writer = { epoch: frame.epoch ?? this.streams.get(streamNo)?.route.epoch };
    if (frame.type === 'heartbeat') {
      await verdicts.heartbeat(admitted, writer);
      return;
    }
    const { type, streamNo: _no, epoch: _epoch, ...body } = frame;
    const verdict = 'code' in body ? await verdicts.abort(admitted, writer, body) : await verdicts.end(admitted, writer, body);
    // Its own last word. Without a key the token stays, for the same call again [APPEND-4]; keepToken bounds those.
    if (this.principal && this.tokens.get(streamNo) === admitted.principal) this.tokens.delete(streamNo);
    this.send({ type: 'verdict', kind: type, ...verdict });
  }

  private async open(frame: Extract<ControlFrame, { type: 'open' }>): Promise<void> {
    const { admission, allocator } = this.parts;
    if (!this.principal) throw new StreamError('UNAUTHENTICATED', { detail: 'Send an auth frame with an API key first.' });
    admission.mayOpen(this.principal);
    const call = { principal: this.principal.id, idempotencyKey: frame.idempotencyKey ?? '', options: frame.options ?? {} };
    const opened = await allocator.open(call);
    this.keepToken(opened.streamNo, await admission.authenticate(`Bearer ${opened.writeToken}`));
    this.send({ type: 'opened', id: frame.id, ...opened });
  }

  private async authenticate(authorization: string): Promise<void> {
    try {
      const principal = await this.parts.admission.authenticate(authorization);
      if (principal.claims?.sub !== undefined) this.keepToken(principal.claims.sub, principal);
      else this.principal = principal;
    } catch (error) {
      // A socket that has shown nothing valid has no use; one that has keeps its other streams.
      if (this.principal || this.tokens.size > 0) throw error;
      this.stop(error as Error);
    }
  }

  /** Bounded: the oldest goes first, unless its stream is being written here (of those there are at most half as many). */
  private keepToken(streamNo: string, principal: Principal): void {
    this.tokens.delete(streamNo);
    this.tokens.set(streamNo, principal);
    if (this.tokens.size <= this.parts.settings.socketStreamsMax * 2) return;
    for (const oldest of this.tokens.keys()) {
      if (this.streams.has(oldest) || oldest === streamNo) continue;
      this.tokens.delete(oldest);
      return;
    }
  }

  // ---- the socket ----

  private send(reply: ProduceReply): void {
    if (this.ws.readyState !== this.ws.OPEN) return;
    this.ws.send(JSON.stringify(reply), () => {
      if (this.unsent.size > 0 && !this.isAckScheduled) this.sendAcks();
      this.wakeRoom();
    });
    if (this.ws.bufferedAmount > UNREAD_BYTES_CUT) this.ws.terminate();
  }

  private problem(error: unknown, streamNo?: string, id?: string): void {
    this.parts.metrics.refusedFor(error);
    const problem = problemOf(error, this.requestId);
    this.send({ type: 'problem', ...(streamNo === undefined ? {} : { streamNo }), ...(id === undefined ? {} : { id }), problem });
  }

  private ping(): void {
    if (this.missedPings >= PINGS_MISSED_MAX) return this.ws.terminate();
    this.missedPings += 1;
    this.ws.ping();
  }

  private prove(): void {
    this.missedPings = 0;
    this.lifeline.prove();
  }

  private stop(reason: Error): void {
    this.problem(reason);
    const isDrain = reason instanceof StreamError && reason.code === 'NOT_READY';
    this.ws.close(isDrain || !(reason instanceof StreamError) ? GOING_AWAY : reason.row.close, reason instanceof StreamError ? reason.code : '');
    setTimeout(() => this.ws.terminate(), CLOSE_MS_MAX).unref();
  }

  private close(): void {
    clearInterval(this.pinger);
    for (const stream of this.streams.values()) stream.unsubscribe();
    this.streams.clear();
    this.backlog.length = 0;
    this.forget();
  }
}

function reserve(quota: KeyQuota, runs: readonly FragmentRun[]): number {
  let waitMs = 0;
  for (const run of runs) waitMs = Math.max(waitMs, quota.reserveAppend(run.bytes, run.payloads.length));
  return waitMs;
}

function isSameWriter(route: Route, frame: AppendFrame): boolean {
  return (frame.epoch === undefined || frame.epoch === route.epoch) && (frame.run === undefined || frame.run === route.run);
}
