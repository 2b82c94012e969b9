import type { AdminStreamPage, StreamSummary } from '@rivulet/protocol';
import { Command } from 'commander';
import { withExamples } from './examples';
import { whole } from './numbers';
import { putJson, putLine, table, tell } from './output';
import { bytesText } from './progress-bar';
import { call } from './service';
import { servicePlace, withJson, withService } from './settings';
import type { ServiceOptions } from './settings';

interface ListOptions extends ServiceOptions { channel?: string; status?: string; limit: number }

const PAGE_MAX = 500;

export function listCommand(): Command {
  const command = new Command('ls')
    .summary('list streams')
    .description('List streams, newest first. Needs an API key of role viewer or operator.')
    .option('--channel <name>', 'only of this channel')
    .option('--status <status,…>', 'only these: open, lost, ended, failed, cancelled, expired, deleted')
    .option('--limit <count>', 'at most so many', whole(1, 1_000_000), 50);
  withJson(withService(command), 'one JSON object a line');
  return withExamples(command, 'rivulet ls --status open,lost', 'rivulet ls --channel chat-42 --json | jq -r .streamNo').action(list);
}

async function list(options: ListOptions): Promise<void> {
  const rows: StreamSummary[] = [];
  for await (const stream of streams(options)) {
    if (options.json) await putJson(stream);
    else rows.push(stream);
  }
  if (options.json) return;
  if (rows.length === 0) return tell('no streams');
  const cells = rows.map(({ streamNo, status, channel, sequence, bytes, openedAt }) =>
    [streamNo, status, String(sequence), bytesText(bytes), new Date(openedAt).toISOString(), channel || '-']);
  await putLine(table([['STREAMNO', 'STATUS', 'FRAGMENTS', 'CONTENT', 'OPENED', 'CHANNEL'], ...cells]));
}

async function* streams(options: ListOptions): AsyncGenerator<StreamSummary> {
  const place = servicePlace(options);
  let cursor: string | null = null;
  for (let left = options.limit; left > 0; ) {
    const query = new URLSearchParams({ limit: String(Math.min(left, PAGE_MAX)) });
    if (options.channel !== undefined) query.set('channel', options.channel);
    if (options.status !== undefined) query.set('status', options.status);
    if (cursor !== null) query.set('cursor', cursor);
    const page: AdminStreamPage = await call<AdminStreamPage>(place, `/v1/admin/streams?${query}`);
    yield* page.streams;
    left -= page.streams.length;
    cursor = page.next;
    if (cursor === null) return;
  }
}
