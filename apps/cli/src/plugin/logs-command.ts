import { setTimeout as elapse } from 'node:timers/promises';
import { StreamError } from '@rivulet/protocol';
import { Command } from 'commander';
import { withExamples } from '../examples';
import { Interrupted } from '../exit-codes';
import { whole } from '../numbers';
import { interruption, putJson, putLine, tell } from '../output';
import { call } from '../service';
import { servicePlace, withJson, withService } from '../settings';
import type { ServiceOptions, ServicePlace } from '../settings';

interface LogsOptions extends ServiceOptions { follow?: boolean; host?: string; lines: number }
interface Logs { host: string; plugin: string; lines: { at: number; line: string }[] }

const POLL_MS = 500;
/** How often another host than the one that is wanted may answer: behind one address, which one does is the balancer's choice. */
const TRIES_MAX = 20;
/** More than a host keeps. */
const FOLLOWED_LINES_MAX = 100_000;

export function logsCommand(): Command {
  const command = new Command('logs')
    .summary('what a plugin printed')
    .description('Show the newest lines of a plugin, of the host that answers; secrets are taken out. Needs an API key of role viewer or operator.')
    .argument('<name>', 'the plugin')
    .option('-f, --follow', 'go on with what comes, of every host that answers, until Ctrl-C')
    .option('--host <host>', 'only of this host, as rivulet plugin status names it')
    .option('--lines <count>', 'at most so many of what is there', whole(1, 100_000), 100);
  withJson(withService(command), 'one JSON object a line: host, at, line');
  return withExamples(command, 'rivulet plugin logs ai-chat', 'rivulet plugin logs -f --host rivulet-1:7104 ai-chat').action(logs);
}

async function logs(name: string, options: LogsOptions): Promise<void> {
  const place = servicePlace(options);
  const printer = new LinePrinter(options.json === true);
  await printer.print(await logsOf(place, name, options.host, `lines=${options.lines}`));
  if (!options.follow) return printer.isEmpty ? tell('no lines yet') : undefined;
  const signal = interruption();
  let trouble = '';
  for (;;) {
    await elapse(POLL_MS, undefined, { signal }).catch(() => { throw new Interrupted('Interrupted.'); });
    try {
      await printer.print(await logsOf(place, name, options.host, `lines=${FOLLOWED_LINES_MAX}&since=${printer.since}`));
      trouble = '';
    } catch (error) {
      // A host that is started again is back in a moment.
      const known = error instanceof StreamError && ['NOT_READY', 'PLUGIN_NOT_FOUND'].includes(error.code) ? error : null;
      if (known === null) throw error;
      if (trouble !== known.code) tell(`${known.code}: ${known.details.detail ?? known.row.text} Asked again.`);
      trouble = known.code;
    }
  }
}

/** @throws StreamError PLUGIN_NOT_FOUND also when the host that is wanted does not answer */
async function logsOf(place: ServicePlace, name: string, host: string | undefined, query: string): Promise<Logs> {
  const others = new Set<string>();
  for (let tries = 1; tries <= TRIES_MAX; tries += 1) {
    const found = await call<Logs>(place, `/v1/admin/plugins/${encodeURIComponent(name)}/logs?${query}`, { headers: { connection: 'close' } });
    if (host === undefined || found.host === host) return found;
    others.add(found.host);
  }
  throw new StreamError('PLUGIN_NOT_FOUND', {
    plugin: name, detail: `${place.url} leads to ${[...others].join(', ')}, not to ${host}. Give the --url of that host itself.`,
  });
}

/** Each line of each host once, with the host before it when there are several. */
class LinePrinter {
  private readonly seen = new Map<string, number>();
  private last = '';

  constructor(private readonly isJson: boolean) {}

  get isEmpty(): boolean {
    return [...this.seen.values()].every((at) => at === 0);
  }

  /** What a host that is asked again may leave out. */
  get since(): number {
    return Math.min(...this.seen.values());
  }

  async print({ host, lines }: Logs): Promise<void> {
    const seen = this.seen.get(host) ?? 0;
    const fresh = lines.filter(({ at }) => at > seen);
    this.seen.set(host, fresh.at(-1)?.at ?? seen);
    if (fresh.length > 0 && !this.isJson && this.seen.size > 1 && this.last !== host) await putLine(`==> ${host} <==`);
    if (fresh.length > 0) this.last = host;
    for (const { at, line } of fresh) {
      if (this.isJson) await putJson({ host, at, line });
      else await putLine(`${new Date(at).toISOString()}  ${line}`);
    }
  }
}
