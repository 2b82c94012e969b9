import { Command } from 'commander';
import { StreamError } from '@rivulet/protocol';
import { withExamples } from './examples';
import { putJson, tell } from './output';
import { clientOf } from './service';
import { servicePlace, withJson, withService } from './settings';
import type { ServiceOptions } from './settings';

interface CancelOptions extends ServiceOptions { reason: string }

export function cancelCommand(): Command {
  const command = new Command('cancel')
    .summary('cancel a stream')
    .description('Cancel a stream: its producer is told to stop, its readers get the final event.')
    .argument('<streamNo>', 'the stream')
    .option('--reason <text>', 'what readers and the producer are told', '');
  return withExamples(withJson(withService(command)), 'rivulet cancel 20d2125e6h820nmsma8x7sk8y9zj2htf --reason "asked something else"').action(cancel);
}

async function cancel(streamNo: string, options: CancelOptions): Promise<void> {
  const verdict = await clientOf(servicePlace(options)).cancel(encodeURIComponent(streamNo), options.reason);
  if (options.json) await putJson(verdict);
  else tell(`${verdict.status}: ${verdict.sequence} fragments, ${verdict.bytes} bytes`);
  if (verdict.status !== 'cancelled') throw new StreamError('STREAM_FINAL', { detail: `The stream is ${verdict.status}.` });
}
