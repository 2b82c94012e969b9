import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { once } from 'node:events';
import { setTimeout as elapse } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { StreamError } from '@rivulet/protocol';
import type { StreamSummary } from '@rivulet/protocol';
import { Command } from 'commander';
import { withExamples } from './examples';
import { Interrupted } from './exit-codes';
import { knownError } from './known-error';
import { interruption, putJson, tell } from './output';
import { bytesText, ProgressBar } from './progress-bar';
import { clientOf, problemIn } from './service';
import { servicePlace, withJson, withService } from './settings';
import type { ServiceOptions, ServicePlace } from './settings';

interface GetOptions extends ServiceOptions { output: string }

/** Connections that may break off one after the other without a byte between them. */
const FRUITLESS_MAX = 8;
const AGAIN_MS = 500;

export function getCommand(): Command {
  const command = new Command('get')
    .summary('save a stream as a file')
    .description('Save a stream that has ended to a file, checked against its digest. Goes on where it broke off, also when it is started again.')
    .argument('<streamNo>', 'the stream')
    .requiredOption('-o, --output <file>', 'the file; until it is whole it is FILE.STREAMNO.part');
  return withExamples(withJson(withService(command)), 'rivulet get 20d2125e6h820nmsma8x7sk8y9zj2htf -o backup.tar.gz').action(get);
}

async function get(streamNo: string, options: GetOptions): Promise<void> {
  const signal = interruption();
  const place = servicePlace(options);
  const state = await clientOf(place).state(streamNo);
  if (state.final?.status !== 'ended') {
    throw new StreamError('STREAM_FINAL', { detail: `The stream is ${state.status}${state.final === null ? '; follow it with rivulet tail -f' : ': it has no whole content'}.` });
  }
  const part = `${options.output}.${streamNo}.part`;
  const bar = new ProgressBar(options.output);
  try {
    await download(place, state, part, signal, (done) => bar.update(done, state.bytes));
    await check(part, state);
  } catch (error) {
    if (signal.aborted) throw new Interrupted('Interrupted.');
    throw error;
  } finally {
    bar.end();
  }
  await rename(part, options.output);
  const { digest, checksum } = state.final;
  if (options.json) await putJson({ streamNo, file: options.output, bytes: state.bytes, checksum, digest });
  else tell(`${options.output}: ${bytesText(state.bytes)}, ${digest === '' ? 'CRC-32' : 'SHA-256'} as it was sealed`);
}

/** Appends what is missing to the file. What an ended stream has never changes, so a part of yesterday is as good. */
async function download(
  place: ServicePlace, state: StreamSummary, part: string, signal: AbortSignal, onProgress: (done: number) => void,
): Promise<void> {
  let done = await stat(part).then(({ size }) => size, () => 0);
  for (let fruitless = 0; done < state.bytes || fruitless === 0; ) {
    const before = done;
    try {
      done = await downloadOnce(place, state, part, done, signal, onProgress);
    } catch (error) {
      // What is not passing trouble stays; a connection that broke off is no StreamError.
      const known = knownError(error);
      if (signal.aborted || (known !== null && known.row.next !== 'retry')) throw error;
      done = await stat(part).then(({ size }) => size, () => 0);
      fruitless = done > before ? 0 : fruitless + 1;
      if (fruitless >= FRUITLESS_MAX) throw error;
      await elapse(AGAIN_MS, undefined, { signal });
      continue;
    }
    if (done >= state.bytes) return;
  }
}

async function downloadOnce(
  place: ServicePlace, state: StreamSummary, part: string, from: number, signal: AbortSignal, onProgress: (done: number) => void,
): Promise<number> {
  const file = createWriteStream(part, { flags: 'a' });
  try {
    await once(file, 'open');
    if (from >= state.bytes) return from;
    const headers = { authorization: `Bearer ${place.token}`, range: `bytes=${from}-` };
    const response = await fetch(`${place.url}/v1/watch/${state.streamNo}/content`, { signal, headers });
    if (!response.ok || response.body === null) throw problemIn({ status: response.status, body: await response.json().catch(() => null) });
    // Whoever ignores the range sends it all: glued to what is there it would be garbage.
    if (from > 0 && response.status !== 206) throw new StreamError('RANGE_NOT_SATISFIABLE', { detail: 'Something in between does not pass Range requests on.' });
    let done = from;
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      if (!file.write(chunk)) await once(file, 'drain');
      onProgress((done += chunk.length));
    }
    return done;
  } finally {
    await new Promise((resolve) => file.end(resolve));
  }
}

/** @throws StreamError CHECKSUM_MISMATCH; what is wrong is thrown away, or every try would go on from it */
async function check(part: string, { streamNo, bytes, final }: StreamSummary): Promise<void> {
  const hash = createHash('sha256');
  let checksum = 0;
  let length = 0;
  for await (const chunk of createReadStream(part) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    checksum = crc32(chunk, checksum);
    length += chunk.length;
  }
  const digest = hash.digest('hex');
  const problem = length !== bytes ? `it has ${length} bytes instead of ${bytes}`
    : checksum !== final?.checksum ? 'its CRC-32 is another one' : final.digest !== '' && final.digest !== digest ? 'its SHA-256 is another one' : null;
  if (problem === null) return;
  await rm(part);
  throw new StreamError('CHECKSUM_MISMATCH', { streamNo, detail: `What came is not what was sealed: ${problem}. It was thrown away; try again.` });
}
