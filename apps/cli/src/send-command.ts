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

interface SendOptions extends ServiceOptions { channel?: string; contentType?: string; resume?: string }

const GIVE_UP_MS = 300_000;

export function sendCommand(): Command {
  const command = new Command('send')
    .summary('send a file')
    .description('Send a file as a stream, sealed with its SHA-256; the streamNo is on stderr at once. After Ctrl-C or a crash --resume goes on.')
    .argument('<file>', 'the file')
    .option('--channel <name>', 'channel of the stream')
    .option('--content-type <type>', 'media type of the content (default: application/octet-stream)')
    .option('--resume <streamNo>', 'go on with the stream that an earlier send of this file began');
  withJson(withService(command), 'the streamNo and the verdict as NDJSON on stdout');
  return withExamples(command, 'rivulet send backup.tar.gz', 'rivulet send talk.mp4 --content-type video/mp4 --channel talks',
    'rivulet send backup.tar.gz --resume 20d2125e6h820nmsma8x7sk8y9zj2htf').action(send);
}

async function send(file: string, options: SendOptions): Promise<void> {
  const facts = await stat(file).catch((error: NodeJS.ErrnoException) => { throw new UsageError(`${file} cannot be read (${error.code}).`); });
  if (!facts.isFile()) throw new UsageError(`${file} is not a file; use rivulet pipe for what has no end yet.`);
  const signal = interruption();
  const bar = new ProgressBar(path.basename(file));
  const { channel, contentType, resume } = options;
  let streamNo = resume;
  try {
    const { verdict } = await clientOf(servicePlace(options)).sendFile(file, {
      channel, contentType, resume, signal, giveUpMs: GIVE_UP_MS,
      onOpen(opened) {
        streamNo = opened.streamNo;
        tell(streamNo);
        if (options.json) void putJson({ type: 'opened', streamNo });
      },
      onProgress: ({ bytes }) => bar.update(bytes, facts.size),
    });
    bar.end();
    await tellVerdict(verdict, options.json === true);
    if (verdict.status !== 'ended') throw new StreamError('STREAM_FINAL', { detail: `The stream is ${verdict.status}.` });
  } catch (error) {
    bar.end();
    if (!signal.aborted) throw error;
    if (streamNo !== undefined) tell(`go on with: rivulet send ${file} --resume ${streamNo}`);
    throw new Interrupted('Interrupted.');
  }
}
