import { StreamError } from '@rivulet/protocol';
import type { VerdictReply } from '@rivulet/protocol';
import type { Producer } from '@rivulet/client';
import { Command } from 'commander';
import { withExamples } from './examples';
import { Interrupted } from './exit-codes';
import { whole } from './numbers';
import { interruption, putJson, tell } from './output';
import { clientOf } from './service';
import { servicePlace, withJson, withService } from './settings';
import type { ServiceOptions } from './settings';

interface PipeOptions extends ServiceOptions { channel?: string; contentType?: string; interval?: number; class?: 'interactive' | 'bulk' }

/** Once a stream is under way, trouble is waited out for as long as the SDK does it for anybody. */
const GIVE_UP_MS = 300_000;

export function pipeCommand(): Command {
  const command = new Command('pipe')
    .summary('stream what comes on stdin')
    .description('Stream what comes on stdin, as it comes. The streamNo is on stderr at once, the verdict of the log at the end. Ctrl-C aborts the stream.')
    .option('--channel <name>', 'channel of the stream')
    .option('--content-type <type>', 'media type; text/* must be UTF-8, all else is bytes (default: text/plain)')
    .option('--interval <ms>', 'merge what comes within so many ms into one fragment (100 to 300 reads well)', whole(0, 10_000))
    .option('--class <class>', 'interactive or bulk (default: interactive)');
  withJson(withService(command), 'the streamNo and the verdict as NDJSON on stdout');
  return withExamples(command, 'my-model | rivulet pipe --channel chat-42 --interval 150', 'rivulet pipe --content-type application/octet-stream < sound.opus')
    .action(pipe);
}

async function pipe(options: PipeOptions): Promise<void> {
  const stop = interruption();
  const contentType = options.contentType ?? 'text/plain; charset=utf-8';
  const isText = /^text\//i.test(contentType);
  const facts = { contentType, merge: isText ? 'text' : 'bytes', channel: options.channel, class: options.class } as const;
  const producer = await clientOf(servicePlace(options)).open(facts, { intervalMs: options.interval ?? 0, giveUpMs: GIVE_UP_MS });
  tell(producer.streamNo);
  if (options.json) await putJson({ type: 'opened', streamNo: producer.streamNo, epoch: producer.epoch });
  await copyInput(producer, isText, stop);
  const verdict = await producer.end();
  await tellVerdict(verdict, options.json === true);
  if (verdict.status !== 'ended') throw new StreamError('STREAM_FINAL', { detail: `The stream is ${verdict.status}.` });
}

/** An input that breaks off, or is not what it should be, aborts the stream: half of a text must not look whole. */
async function copyInput(producer: Producer, isText: boolean, stop: AbortSignal): Promise<void> {
  const decoder = isText ? new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }) : null;
  // Reading must end when the stream does, or when we are told to: a silent stdin would otherwise hold us for ever.
  const ending = AbortSignal.any([stop, producer.signal]);
  ending.addEventListener('abort', () => process.stdin.destroy(), { once: true });
  try {
    if (ending.aborted) throw ending.reason;
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      const content = decoder ? decoder.decode(chunk, { stream: true }) : chunk;
      if (content.length > 0) await producer.write(content);
    }
    if (ending.aborted) throw ending.reason;
    const rest = decoder?.decode();
    if (rest) await producer.write(rest);
  } catch (error) {
    if (producer.signal.aborted) throw producer.signal.reason;
    const isOurs = stop.aborted;
    await producer.abort(isOurs ? 'PIPE_INTERRUPTED' : error instanceof TypeError ? 'UTF8_INVALID' : 'PIPE_ABORTED');
    if (isOurs) {
      tell('aborted');
      throw new Interrupted('Interrupted.');
    }
    if (error instanceof TypeError) throw new StreamError('UTF8_INVALID', { detail: 'The input is not UTF-8; give --content-type application/octet-stream for other bytes.' });
    throw error;
  }
}

export async function tellVerdict(verdict: VerdictReply, isJson: boolean): Promise<void> {
  if (isJson) await putJson({ type: 'verdict', ...verdict });
  else tell(`${verdict.status}: ${verdict.sequence} fragments, ${verdict.bytes} bytes, CRC-32 ${verdict.checksum.toString(16).padStart(8, '0')}`);
}
