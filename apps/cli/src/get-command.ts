import { Command } from 'commander';
import { withExamples } from './examples';
import { Interrupted } from './exit-codes';
import { interruption, putJson, tell } from './output';
import { bytesText, ProgressBar } from './progress-bar';
import { clientOf } from './service';
import { servicePlace, withJson, withService } from './settings';
import type { ServiceOptions } from './settings';

interface GetOptions extends ServiceOptions { output: string }

const GIVE_UP_MS = 300_000;

export function getCommand(): Command {
  const command = new Command('get')
    .summary('save a stream as a file')
    .description('Save a stream to a file, as it grows or afterwards, checked against its digest. Goes on where it broke off, also when it is started again.')
    .argument('<streamNo>', 'the stream')
    .requiredOption('-o, --output <file>', 'the file; until it is whole it is FILE.part');
  return withExamples(withJson(withService(command)), 'rivulet get 20d2125e6h820nmsma8x7sk8y9zj2htf -o backup.tar.gz').action(get);
}

async function get(streamNo: string, options: GetOptions): Promise<void> {
  const signal = interruption();
  const client = clientOf(servicePlace(options));
  // First: it is answered or refused within seconds, while receiving would go on trying for minutes.
  await client.state(streamNo);
  const bar = new ProgressBar(options.output);
  try {
    const onProgress = ({ bytes, totalBytes }: { bytes: number; totalBytes: number | null }): void => bar.update(bytes, totalBytes ?? 0);
    const { bytes, checksum, digest } = await client.receiveFile(streamNo, options.output, { signal, giveUpMs: GIVE_UP_MS, onProgress });
    bar.end();
    if (options.json) await putJson({ streamNo, file: options.output, bytes, checksum, digest });
    else tell(`${options.output}: ${bytesText(bytes)}, ${digest === '' ? 'CRC-32' : 'SHA-256'} as it was sealed`);
  } catch (error) {
    bar.end();
    if (signal.aborted) throw new Interrupted('Interrupted.');
    throw error;
  }
}
