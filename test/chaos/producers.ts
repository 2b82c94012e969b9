/** Producers of every fate. Each function writes one stream from its open to its end, and notes what it was told. */
import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { setTimeout as elapse } from 'node:timers/promises';
import { rivulet } from '@rivulet/client';
import type { Producer, Rivulet } from '@rivulet/client';
import type { OpenedStream, OpenOptions, VerdictReply } from '@rivulet/protocol';
import { expectStatus, post } from '../support/traffic';
import type { Ledger, StreamLedger } from './ledger';
import { writeNdjson } from './ndjson-writer';
import type { Random } from './random';
import { Zombie } from './zombie';

const RETRY_WAIT_MS_MAX = 3000;
/** How long a fenced producer may take to learn it. */
const FENCED_MS_MAX = 60_000;

export interface ProducerContext {
  ledger: Ledger;
  url: string;
  apiKey: string;
  random: Random;
  label: string;
  /** Fragments of a paced stream. */
  fragments: number;
  intervalMs: number;
  /** Of bulk streams. */
  perSecond: number;
  /** Fires when streams are to come to their end. */
  closing: AbortSignal;
  onOpened(stream: StreamLedger): void;
}

type Produce = (context: ProducerContext) => Promise<void>;

const clientOf = ({ url, apiKey }: ProducerContext): Rivulet => rivulet({ url, token: apiKey });

function openOptions({ random, label }: ProducerContext, kind: string): OpenOptions {
  const channel = random.chance(0.5) ? { channel: `chaos-${random.integer(0, 7)}` } : {};
  return { ...channel, ...(random.chance(0.2) ? { class: 'bulk' as const } : {}), leaseMs: 30_000, metadata: { kind, label } };
}

function opened(context: ProducerContext, streamNo: string, kind: string): StreamLedger {
  const stream = context.ledger.open(streamNo, kind, context.label);
  context.onOpened(stream);
  return stream;
}

/** Writes from..to, one fragment a beat, unless it is time to close. @returns the last sequence written */
async function writePaced(context: ProducerContext, producer: Producer, stream: StreamLedger, from: number, to: number): Promise<number> {
  const { intervalMs, closing } = context;
  let sequence = from - 1;
  while (sequence < to && !closing.aborted) {
    const next = ++sequence;
    await producer.write(stream.payload(producer.epoch, next));
    void producer.flush().then(() => stream.acknowledge(producer.epoch, from, next), () => undefined);
    await elapse(intervalMs);
  }
  return sequence;
}

async function end(producer: Producer, stream: StreamLedger, from: number, to: number): Promise<void> {
  const verdict = await producer.end();
  stream.acknowledge(producer.epoch, from, to);
  stream.seal(verdict);
}

const bySdk: Produce = async (context) => {
  const producer = await clientOf(context).open(openOptions(context, 'sdk'));
  const stream = opened(context, producer.streamNo, 'sdk');
  const last = await writePaced(context, producer, stream, 1, context.fragments);
  await end(producer, stream, 1, last);
};

/** Opens over raw HTTP. */
async function openRaw(context: ProducerContext, kind: string): Promise<{ stream: StreamLedger; writeToken: string; path: string }> {
  const { url, apiKey } = context;
  const answer = await post(`${url}/v1/streams`, apiKey, openOptions(context, kind), crypto.randomUUID());
  const { streamNo, writeToken } = expectStatus(answer, 201) as OpenedStream;
  return { stream: opened(context, streamNo, kind), writeToken, path: `${url}/v1/streams/${streamNo}` };
}

async function endRaw(path: string, writeToken: string, stream: StreamLedger, lastSeq: number): Promise<void> {
  for (;;) {
    const verdict = expectStatus(await post(`${path}/end`, writeToken, { lastSeq }), 200, 202) as VerdictReply;
    stream.seal(verdict);
    if (verdict.status !== 'PENDING') return;
  }
}

const byRawHttp: Produce = async (context) => {
  const { stream, writeToken, path } = await openRaw(context, 'raw');
  let sequence = 0;
  while (sequence < context.fragments && !context.closing.aborted) {
    sequence += 1;
    expectStatus(await post(`${path}/fragments`, writeToken, { seq: sequence, data: stream.payload(1, sequence) }), 200);
    stream.acknowledge(1, sequence, sequence);
    await elapse(context.intervalMs);
  }
  await endRaw(path, writeToken, stream, sequence);
};

const byNdjson: Produce = async (context) => {
  const { stream, writeToken, path } = await openRaw(context, 'ndjson');
  const endsAt = performance.now() + context.random.integer(15_000, 60_000);
  const last = await writeNdjson({
    url: context.url, streamNo: stream.streamNo, writeToken, perSecond: context.perSecond,
    payload: (sequence) => stream.payload(1, sequence),
    onAcknowledged: (from, to) => stream.acknowledge(1, from, to),
    isOver: () => context.closing.aborted || performance.now() > endsAt,
  });
  await endRaw(path, writeToken, stream, last);
};

/** Dies in the middle with appends on their way; "another machine" takes over, once or twice. */
const byCrash: Produce = async (context) => {
  const { random, fragments } = context;
  const { stream, writeToken, path } = await openRaw(context, 'crash');
  const dieAt = random.integer(1, Math.max(1, Math.floor(fragments / 2)));
  for (let sequence = 1; sequence <= dieAt; sequence++) {
    expectStatus(await post(`${path}/fragments`, writeToken, { seq: sequence, data: stream.payload(1, sequence) }), 200);
    stream.acknowledge(1, sequence, sequence);
    await elapse(context.intervalMs);
  }
  for (let sequence = dieAt + 1; sequence <= dieAt + 3; sequence++) {
    const body = JSON.stringify({ seq: sequence, data: stream.payload(1, sequence) });
    const headers = { authorization: `Bearer ${writeToken}`, 'content-type': 'application/json' };
    void fetch(`${path}/fragments`, { method: 'POST', headers, body, signal: AbortSignal.timeout(5000) }).catch(() => undefined);
  }
  await elapse(random.integer(0, RETRY_WAIT_MS_MAX));
  await takeOver(context, stream, random.chance(0.3) ? 2 : 1);
};

/** Goes on with a stream from elsewhere, `times` times: all but the last attempt are left in the middle too. */
async function takeOver(context: ProducerContext, stream: StreamLedger, times: number): Promise<void> {
  const { random, fragments } = context;
  for (let time = 1; time <= times; time++) {
    const keep = random.chance(0.5) ? 'all' : 'none';
    const producer = await clientOf(context).retry(stream.streamNo, { keep, reason: 'chaos' });
    const from = producer.acknowledged + 1;
    const to = time < times ? from + Math.floor(fragments / 4) : Math.max(fragments, from);
    const last = await writePaced(context, producer, stream, from, to);
    if (time === times) await end(producer, stream, from, last);
  }
}

/** Frozen in the middle and woken when a retry has taken over: nothing it writes then may be seen. */
const byZombie: Produce = async (context) => {
  const { url, apiKey: token, label, fragments, intervalMs, random, ledger } = context;
  const zombie = new Zombie({ url, token, label, fragments, intervalMs, open: openOptions(context, 'zombie') });
  try {
    const stream = opened(context, await zombie.opened, 'zombie');
    zombie.listen((sequence) => stream.acknowledge(1, 1, sequence));
    await elapse(Math.floor((random.next() * 0.6 + 0.1) * fragments * intervalMs));
    zombie.freeze();
    const taking = takeOver(context, stream, 1);
    await elapse(random.integer(500, 4000));
    zombie.wake();
    await taking;
    const how = await Promise.race([zombie.ended, elapse(FENCED_MS_MAX, 'silent', { ref: false })]);
    // It may have written everything before it was frozen, or learned from the final stream that it is over.
    if (how === 'STALE_EPOCH' || how === 'STREAM_FINAL') ledger.zombiesFenced += 1;
    else if (how !== 'unfenced') ledger.breach(`the zombie of ${stream.streamNo} ended as ${how}`);
  } finally {
    zombie.kill();
  }
};

const byCancel: Produce = async (context) => {
  const { random, fragments } = context;
  const producer = await clientOf(context).open(openOptions(context, 'cancel'));
  const stream = opened(context, producer.streamNo, 'cancel');
  await writePaced(context, producer, stream, 1, random.integer(1, fragments));
  if (random.chance(0.5)) stream.seal(await clientOf(context).cancel(stream.streamNo, 'chaos'));
  else stream.seal(await producer.abort('CHAOS'));
};

interface PipeAnswer { streamNo: string; status?: string; sequence?: number; digest?: string }

/** One pipe, as curl would. @returns the lines of its answer, whole or not */
async function pipe(
  context: ProducerContext, onOpened: (streamNo: string) => void, hash: { update(text: string): unknown },
): Promise<PipeAnswer[]> {
  const { url, apiKey, label, fragments, intervalMs, closing } = context;
  const answers: PipeAnswer[] = [];
  const request = httpRequest(`${url}/v1/pipe?contentType=text/plain`, {
    method: 'POST', agent: false, headers: { authorization: `Bearer ${apiKey}`, 'transfer-encoding': 'chunked' },
  });
  const ended = new Promise<void>((resolve) => {
    request.on('error', () => resolve());
    request.on('close', () => resolve());
    request.on('response', (response) => {
      let rest = '';
      response.setEncoding('utf8').on('error', () => resolve()).on('close', () => resolve()).on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop()!;
        for (const line of lines.filter((one) => one !== '')) {
          answers.push(JSON.parse(line) as PipeAnswer);
          if (answers.length === 1 && answers[0]!.streamNo) onOpened(answers[0]!.streamNo);
        }
      });
    });
  });
  for (let count = 1; count <= fragments && !closing.aborted && !request.destroyed; count++) {
    const text = `${label}|${count} `;
    hash.update(text);
    request.write(text);
    await elapse(intervalMs);
  }
  request.end();
  // A pipe cannot resend: one whose connection hangs is as good as cut.
  const timer = setTimeout(() => request.destroy(), FENCED_MS_MAX);
  await ended;
  clearTimeout(timer);
  return answers;
}

/** A pipe that comes to its end is whole. One that was cut is done again from its beginning, unless the stream is final by then. */
const byPipe: Produce = async (context) => {
  const hash = createHash('sha256');
  let stream: StreamLedger | null = null;
  const answers = await pipe(context, (streamNo) => { stream = opened(context, streamNo, 'pipe'); }, hash);
  const known = stream as StreamLedger | null;
  if (!known) return;
  const last = answers.at(-1)!;
  if (last.status === 'ended') {
    known.sealed = { streamNo: known.streamNo, status: 'ended', sequence: last.sequence!, digest: hash.digest('hex') };
    return;
  }
  context.ledger.pipesBroken += 1;
  await redo(context, known);
};

async function redo(context: ProducerContext, stream: StreamLedger): Promise<void> {
  try {
    const producer = await clientOf(context).retry(stream.streamNo, { keep: 'none', reason: 'the pipe was cut' });
    const last = await writePaced(context, producer, stream, 1, Math.ceil(context.fragments / 4));
    await end(producer, stream, 1, last);
  } catch (error) {
    // The cut pipe was aborted by its ingest, before the retry or as late as after it (its epoch is fenced then).
    if ((error as { code?: string }).code !== 'STREAM_FINAL') throw error;
  }
}

export const PRODUCERS = {
  sdk: bySdk, raw: byRawHttp, ndjson: byNdjson, crash: byCrash, zombie: byZombie, cancel: byCancel, pipe: byPipe,
} satisfies Record<string, Produce>;
export type ProducerKind = keyof typeof PRODUCERS;
