import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { StreamError } from '@rivulet/protocol';
import { Command } from 'commander';
import { withExamples } from './examples';
import { Interrupted, UsageError } from './exit-codes';
import { interruption, putJson, tell } from './output';
import { tellVerdict } from './pipe-command';
import { ProgressBar } from './progress-bar';
import { clientOf } from './service';
import { servicePlace, withJson, withService } from './settings';
import type { ServiceOptions } from './settings';

interface SendOptions extends ServiceOptions { channel?: string; contentType: string }

const READ_BYTES = 256 * 1024;
const GIVE_UP_MS = 300_000;

export function sendCommand(): Command {
  const command = new Command('send')
    .summary('send a file')
    .description('Send a file as a stream, sealed with its SHA-256; the streamNo is on stderr at once. Ctrl-C aborts the stream.')
    .argument('<file>', 'the file')
    .option('--channel <name>', 'channel of the stream')
    .option('--content-type <type>', 'media type of the content', 'application/octet-stream');
  withJson(withService(command), 'the streamNo and the verdict as NDJSON on stdout');
  return withExamples(command, 'rivulet send backup.tar.gz', 'rivulet send talk.mp4 --content-type video/mp4 --channel talks').action(send);
}

async function send(file: string, options: SendOptions): Promise<void> {
  const stop = interruption();
  const facts = await stat(file).catch((error: NodeJS.ErrnoException) => { throw new UsageError(`${file} cannot be read (${error.code}).`); });
  if (!facts.isFile()) throw new UsageError(`${file} is not a file; use rivulet pipe for what has no end yet.`);
  const opening = { contentType: options.contentType, merge: 'bytes', class: 'bulk', channel: options.channel, metadata: { name: path.basename(file), bytes: facts.size } } as const;
  const producer = await clientOf(servicePlace(options)).open(opening, { giveUpMs: GIVE_UP_MS });
  tell(producer.streamNo);
  if (options.json) await putJson({ type: 'opened', streamNo: producer.streamNo, epoch: producer.epoch });
  const bar = new ProgressBar(path.basename(file));
  try {
    let sent = 0;
    for await (const chunk of createReadStream(file, { highWaterMark: READ_BYTES, signal: stop }) as AsyncIterable<Buffer>) {
      await producer.write(chunk);
      bar.update((sent += chunk.length), facts.size);
    }
    if (sent !== facts.size) throw new StreamError('CHECKSUM_MISMATCH', { detail: `${file} had ${facts.size} bytes at the start and ${sent} at the end: it was written meanwhile.` });
    await producer.flush();
  } catch (error) {
    bar.end();
    if (producer.signal.aborted) throw producer.signal.reason;
    await producer.abort(stop.aborted ? 'PIPE_INTERRUPTED' : 'PIPE_ABORTED');
    if (stop.aborted) throw new Interrupted('Interrupted.');
    throw error;
  }
  bar.end();
  const verdict = await producer.end();
  await tellVerdict(verdict, options.json === true);
  if (verdict.status !== 'ended') throw new StreamError('STREAM_FINAL', { detail: `The stream is ${verdict.status}.` });
}
