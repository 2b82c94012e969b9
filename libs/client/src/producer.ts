import { HEADERS, StreamError } from '@rivulet/protocol';
import type { EndBody, FragmentIn, VerdictReply } from '@rivulet/protocol';
import { AppendWindow } from './append-window';
import type { PostBody } from './append-window';
import { pause, resend } from './backoff';
import { cut, isWellFormed } from './fragment-text';
import type { Part } from './fragment-text';
import { request } from './http';
import type { Endpoint } from './http';
import { LaneText } from './lane-text';
import { Pacer } from './pacer';
import { platform } from './platform-node';
import type { RunningDigest } from './platform';
import { uuidV7 } from './uuid-v7';

export interface ProducerOptions {
  /** What is written within this many ms is one fragment; 100–300 reads well. 0 (default): every write is one [APPEND-10]. */
  intervalMs?: number;
  /** Fragments beyond the acknowledged prefix; never more than the stream's heldFragmentsMax. Default 64. */
  windowFragmentsMax?: number;
  /** POSTs under way at once. Default 2. */
  inFlightMax?: number;
  /**
   * A silent producer proves its life at least this often, which is also how it learns of a cancel, ms. Default: each second while the
   * silence is short, then a third of the lease.
   */
  heartbeatMs?: number;
  /** A call that has not succeeded after this long, resends included, fails the producer, ms. Default 5 minutes. */
  giveUpMs?: number;
}
export interface WriteOptions {
  /** Keeps kinds of content apart within the stream: text, reasoning, tool calls. Readers get it with each fragment. Default: none. */
  lane?: string;
}
/** What a producer starts from: the answer of an open, or of a retry. */
export interface ProducerStart {
  streamNo: string;
  epoch: number;
  writeToken: string;
  /** Only from an open. */
  readToken?: string;
  /** First sequence to write, CRC-32 and bytes of what is kept before it. */
  next: number;
  checksum: number;
  bytes?: number;
  /** SHA-256 of what is kept, when the caller has that content: then the whole is sealed by a digest all the same. */
  digest?: RunningDigest;
}

const POST_FRAGMENTS_MAX = 64;
const WINDOW_FRAGMENTS = 64;
const POST_BYTES_MAX = 256 * 1024;
/** Never so many bytes ahead, whatever the stream may hold. */
const HELD_BYTES_MAX = 4 * 1024 * 1024;
const LEASE_MS = 10_000;
/** Of a stream whose token does not say. */
const LIMITS = { fragmentBytesMax: 256 * 1024, heldFragmentsMax: 64, heldBytesMax: HELD_BYTES_MAX };
/** Bytes from here on go as they are, a POST each; smaller ones share a POST as base64. */
const RAW_BYTES_MIN = 16 * 1024;
/**
 * A producer that fell silent a moment ago is often one whose reader waits, and may cancel: it asks each second, for half a minute. Later a
 * beat is for the lease alone.
 */
const BEAT_MS = 1_000;
const BEATING_OFTEN_MS = 30_000;
/** Between two questions about a verdict that is not known yet, ms. */
const VERDICT_PAUSE_MS = 200;

/**
 * Writes one attempt of one stream: numbered, resent until acknowledged, its lease kept alive. One of a stream and epoch at a time;
 * a process that lost its producer goes on with `retry` [APPEND-3].
 */
export class Producer {
  readonly streamNo: string;
  readonly epoch: number;
  readonly writeToken: string;
  /** For readers of this stream; undefined when the producer came from a retry. */
  readonly readToken: string | undefined;
  /** What earlier attempts wrote and this one goes on after: bytes, and their CRC-32. */
  readonly kept: { bytes: number; checksum: number };
  private readonly window: AppendWindow;
  private readonly intervalMs: number;
  /** One per lane: what arrives within a tick is merged, and never across lanes [WATCH-3]. */
  private readonly pacers = new Map<string, Pacer>();
  private readonly ending = new AbortController();
  private readonly run = uuidV7();
  private readonly giveUpMs: number;
  private readonly fragmentBytesMax: number;
  private readonly merge: string;
  private readonly heartbeat: ReturnType<typeof setInterval>;
  /** SHA-256 of the whole content; null when an earlier attempt wrote part of it. */
  private readonly digest: RunningDigest | null;
  private checksum: number;
  /** By lane. */
  private readonly texts = new Map<string, LaneText>();
  /** Room for the last tick's fragment: a paced writer waits like any other. */
  private paced: Promise<void> = Promise.resolve();
  private isBeating = false;
  /** By the last beat, until it was answered or given up. */
  private tookMs = 0;
  /** end() or abort() is under way: that call says how the stream ended. */
  private isConcluding = false;
  /** Nothing is written any more. */
  private isSealed = false;
  private sentAt = Date.now();
  private wroteAt = Date.now();

  constructor(
    private readonly endpoint: Endpoint,
    start: ProducerStart,
    options: ProducerOptions = {},
  ) {
    this.streamNo = start.streamNo;
    this.epoch = start.epoch;
    this.writeToken = start.writeToken;
    this.readToken = start.readToken;
    this.kept = { bytes: start.bytes ?? 0, checksum: start.checksum };
    this.checksum = start.checksum;
    this.digest = start.digest ?? (start.next === 1 ? platform.createDigest() : null);
    this.giveUpMs = options.giveUpMs ?? 300_000;
    const grant = grantOf(start.writeToken);
    const { fragmentBytesMax, heldFragmentsMax, heldBytesMax } = grant.limits;
    this.fragmentBytesMax = fragmentBytesMax;
    this.merge = grant.merge;
    this.window = new AppendWindow({
      firstSequence: start.next,
      // [APPEND-2] What overtakes a lost one has to be held by the judge, and that is a limit of the stream.
      fragmentsMax: Math.min(options.windowFragmentsMax ?? WINDOW_FRAGMENTS, heldFragmentsMax),
      bytesMax: Math.min(HELD_BYTES_MAX, heldBytesMax),
      postFragmentsMax: POST_FRAGMENTS_MAX,
      postBytesMax: POST_BYTES_MAX,
      inFlightMax: options.inFlightMax ?? 2,
      post: (body) => this.post(body),
      onFailure: (error) => this.close(error),
    });
    this.intervalMs = options.intervalMs ?? 0;
    const { heartbeatMs = Infinity } = options;
    const tickMs = Math.min(BEAT_MS / 2, Math.ceil(grant.leaseMs / 6), heartbeatMs / 2);
    this.heartbeat = setInterval(() => void this.beat(grant.leaseMs, heartbeatMs), tickMs);
    (this.heartbeat as { unref?: () => void }).unref?.();
  }

  /** Fires when the stream takes no more from this producer: cancelled, superseded, expired, failed. Its reason is the StreamError. */
  get signal(): AbortSignal {
    return this.ending.signal;
  }

  /** Everything up to this sequence is durable. */
  get acknowledged(): number {
    return this.window.acknowledged;
  }

  /** Bytes of the stream that are durable, those of earlier attempts too. */
  get acknowledgedBytes(): number {
    return this.kept.bytes + this.window.acknowledgedBytes;
  }

  /**
   * Appends one fragment: a string, or UTF-8 cut anywhere, on a text stream; bytes on a binary one; any JSON value on a json one.
   * @returns when there is room for more; not yet durable, for that see flush().
   */
  async write(content: unknown, { lane = '' }: WriteOptions = {}): Promise<void> {
    if (this.signal.aborted) throw this.signal.reason;
    // What comes while the end is on its way would make the stream longer than its end says, and so fail it.
    if (this.isSealed) throw new StreamError('STREAM_FINAL', { detail: 'Written after the end.' });
    if (this.merge === 'json' || this.merge === 'latest') return this.appendJson(content, lane);
    if (typeof content !== 'string' && !(content instanceof Uint8Array)) {
      throw new StreamError('BODY_INVALID', { detail: 'Text streams take strings, binary ones bytes, JSON ones values.' });
    }
    const part = typeof content === 'string' ? this.textOf(lane).join(content) : this.merge === 'text' ? this.textOf(lane).decode(content) : content;
    if (this.intervalMs === 0) return this.append(part, lane);
    this.pacerOf(lane).push(part);
    await this.paced;
  }

  /** @returns when everything written so far is durable. */
  async flush(): Promise<void> {
    for (const pacer of this.pacers.values()) pacer.flush();
    await this.paced;
    await this.window.flush();
  }

  /** Ends the stream: waits for what is written, then for the log's verdict. Repeating it is harmless [APPEND-4]. */
  async end(metadata?: Record<string, unknown>): Promise<VerdictReply> {
    for (const text of this.texts.values()) text.end();
    this.isSealed = true;
    await this.flush();
    const digest = (await this.digest?.hex()) ?? undefined;
    const body: EndBody = { lastSeq: this.window.lastSequence, checksum: this.checksum, digest, metadata };
    return this.conclude('end', JSON.stringify(body));
  }

  /** Gives the stream up: readers get what is there and then `final` with this code. */
  async abort(code: string, message = ''): Promise<VerdictReply> {
    this.isSealed = true;
    return this.conclude('abort', JSON.stringify({ code, message }));
  }

  /** Leaves the stream as it is: no proof of life any more, so that its lease runs out and a retry may go on [APPEND-7]. */
  release(): void {
    clearInterval(this.heartbeat);
  }

  /** Writes and proves nothing any more, what waits included: a newer attempt of the same process has taken over. */
  retire(): void {
    this.window.fail(new StreamError('STALE_EPOCH', { streamNo: this.streamNo, epoch: this.epoch }));
  }

  private appendJson(value: unknown, lane: string): Promise<void> {
    const json = JSON.stringify(value) as string | undefined;
    if (json === undefined) throw new StreamError('BODY_INVALID', { detail: 'No JSON form.' });
    return this.push({ data: value, ...laneOf(lane) }, encoder.encode(json));
  }

  private async append(content: string | Uint8Array, lane: string): Promise<void> {
    if (typeof content === 'string' && !isWellFormed(content)) {
      throw new StreamError('UTF8_INVALID', { detail: 'Half a surrogate pair.' });
    }
    await Promise.all(cut(content, this.fragmentBytesMax).map((part) => this.push(fragmentOf(part, this.merge, lane), part.bytes)));
  }

  private pacerOf(lane: string): Pacer {
    let pacer = this.pacers.get(lane);
    if (pacer === undefined) this.pacers.set(lane, (pacer = new Pacer(this.intervalMs, (part) => this.appendPaced(part, lane))));
    return pacer;
  }

  private appendPaced(content: string | Uint8Array, lane: string): void {
    this.paced = this.append(content, lane);
    // Nobody waits for a tick: what it cannot write must end the producer, or end() would seal a stream with a hole as whole.
    this.paced.catch((error: unknown) => this.window.fail(error));
  }

  private push(fragment: FragmentIn | Uint8Array, payload: Uint8Array): Promise<void> {
    if (!this.signal.aborted) {
      this.checksum = platform.crc32(payload, this.checksum);
      this.digest?.update(payload);
    }
    return this.window.push(fragment, payload.length);
  }

  private textOf(lane: string): LaneText {
    let text = this.texts.get(lane);
    if (text === undefined) this.texts.set(lane, (text = new LaneText()));
    return text;
  }

  private async conclude(verb: 'end' | 'abort', body: string): Promise<VerdictReply> {
    this.isConcluding = true;
    for (const startedAt = Date.now(); ; await pause(VERDICT_PAUSE_MS, this.signal)) {
      const verdict = await this.call<VerdictReply>(verb, body, { [HEADERS.writerRun]: this.run });
      if (verdict.status !== 'PENDING') {
        clearInterval(this.heartbeat);
        return verdict;
      }
      if (Date.now() - startedAt > this.giveUpMs) return verdict;
    }
  }

  private post(body: PostBody): Promise<unknown> {
    const run = { [HEADERS.writerRun]: this.run };
    this.wroteAt = Date.now();
    if (typeof body === 'string') return this.call('fragments', body, run);
    return this.call('fragments', body.bytes, { ...run, [HEADERS.fragmentSeq]: String(body.sequence) });
  }

  private call<T>(verb: string, body: string | Uint8Array, headers: Record<string, string> = {}): Promise<T> {
    return resend(() => this.callOnce<T>(verb, body, headers), { giveUpMs: this.giveUpMs, signal: this.signal });
  }

  private callOnce<T>(verb: string, body: string | Uint8Array, headers: Record<string, string> = {}, answerMsMax?: number): Promise<T> {
    this.sentAt = Date.now();
    const path = `/v1/streams/${this.streamNo}/${verb}`;
    return request<T>(this.endpoint, { method: 'POST', path, token: this.writeToken, headers, body, signal: this.signal, answerMsMax });
  }

  /** Proof of life while nothing is written; it is also how a silent producer learns of a cancel [APPEND-7]. */
  private async beat(leaseMs: number, heartbeatMs: number): Promise<void> {
    const now = Date.now();
    const oftenMs = now - this.wroteAt < BEATING_OFTEN_MS ? BEAT_MS : leaseMs;
    if (this.isBeating || now - this.sentAt < Math.min(leaseMs / 3, heartbeatMs, oftenMs)) return;
    this.isBeating = true;
    try {
      // Once: the next tick is the resend. Waiting for one would keep a process alive whose producer nobody uses any more.
      // Given up early enough for one more, on a new connection, within the lease; each waits longer than the one before took. The service
      // may only be slow, and beats that many producers give up and make again would keep it so.
      await this.callOnce('heartbeat', '{}', { [HEADERS.writerRun]: this.run }, leaseMs / 4 + this.tookMs);
    } catch (error) {
      // A verdict that takes longer than a beat: the stream is final by our own call, whose answer would be cut off [APPEND-4].
      if (this.isConcluding && error instanceof StreamError && error.code === 'STREAM_FINAL') return;
      // Trouble that passes is left to the next tick; the rest means that this producer is out.
      if (error instanceof StreamError && error.row.next !== 'retry') this.window.fail(error);
    } finally {
      this.isBeating = false;
      this.tookMs = Math.min(Date.now() - now, 15_000);
    }
  }

  private close(error: unknown): void {
    clearInterval(this.heartbeat);
    for (const pacer of this.pacers.values()) pacer.flush();
    this.ending.abort(error);
  }
}

const encoder = new TextEncoder();
const laneOf = (lane: string): { lane?: string } => (lane === '' ? {} : { lane });

function fragmentOf({ content }: Part, merge: string, lane: string): FragmentIn | Uint8Array {
  if (typeof content === 'string') return { data: content, ...laneOf(lane) };
  // A copy: the writer may use its buffer again as soon as there is room.
  if (merge === 'bytes' && lane === '' && content.length >= RAW_BYTES_MIN) return content.slice();
  return { base64: platform.toBase64(content), ...laneOf(lane) };
}

interface Grant { lease?: number; lim?: Partial<typeof LIMITS>; m?: string }

/** What the write token grants. Read, not verified: the service verifies it. A token of another form gives the defaults. */
function grantOf(writeToken: string): { leaseMs: number; limits: typeof LIMITS; merge: string } {
  const [, claims = ''] = writeToken.split('.');
  try {
    const bytes = platform.fromBase64(claims.replace(/-/g, '+').replace(/_/g, '/'));
    const { lease = LEASE_MS, lim = {}, m = 'text' } = JSON.parse(new TextDecoder().decode(bytes)) as Grant;
    return { leaseMs: lease, limits: { ...LIMITS, ...lim }, merge: m };
  } catch {
    return { leaseMs: LEASE_MS, limits: LIMITS, merge: '' };
  }
}
