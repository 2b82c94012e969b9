import type { Logger } from 'pino';
import type { PluginEvent } from '@rivulet/plugin-sdk';
import { PluginFailure } from './plugin-failure';
import type { PluginSet } from './plugin-set';
import type { RequestRecord } from './request-record';
import type { StreamFact } from './stream-facts';

const HOOK_MS_MAX = 10_000;
const RETRY_MS = 500;
const RETRY_MS_MAX = 60_000;

/**
 * [PLUGIN-3] `persistAfter`, at least once per stream: the request leaves the list only after the hook has returned, so a host that dies
 * in between leaves it to the next, with the same id.
 */
export class FinishedEvents {
  private readonly telling = new Set<string>();

  constructor(private readonly plugins: PluginSet, private readonly logger: Logger, private readonly onTold: (streamNo: string) => void) {}

  tell(request: RequestRecord, fact: StreamFact): void {
    const { streamNo } = request;
    if (this.telling.has(streamNo)) return;
    const plugin = this.plugins.host(request.plugin);
    if (fact.final === null) return this.onTold(streamNo);
    // Whether it has the hook is known only once it has loaded.
    if (!plugin?.facts) return;
    if (!plugin.hooks.includes('persistAfter')) return this.onTold(streamNo);
    if (!plugin.running) return;
    this.telling.add(streamNo);
    void this.deliver(request, eventOf(fact), RETRY_MS);
  }

  private async deliver(request: RequestRecord, event: PluginEvent, waitMs: number): Promise<void> {
    const { streamNo, plugin } = request;
    try {
      await tellOnce(this.plugins, plugin, event);
      this.telling.delete(streamNo);
      this.onTold(streamNo);
    } catch (error) {
      this.logger.warn({ streamNo, plugin, message: (error as Error).message, waitMs }, 'persistAfter failed; it is tried again');
      setTimeout(() => void this.deliver(request, event, Math.min(waitMs * 2, RETRY_MS_MAX)), waitMs).unref();
    }
  }
}

/** @throws PluginFailure what the hook threw, or that it could not be called */
async function tellOnce(plugins: PluginSet, plugin: string, event: PluginEvent): Promise<void> {
  const process = plugins.host(plugin)?.running;
  if (!process) throw new PluginFailure('PLUGIN_NOT_RUNNING', `${plugin} does not run on this host`);
  await process.hook('persistAfter', event, HOOK_MS_MAX);
}

/** [PLUGIN-7] Of a bound stream. @returns `done`, or `no_hook`. A throw is to be tried again. */
export async function tellOf(plugins: PluginSet, fact: StreamFact, plugin: string): Promise<string> {
  const host = plugins.host(plugin);
  if (host?.facts && host.running && !host.hooks.includes('persistAfter')) return 'no_hook';
  await tellOnce(plugins, plugin, eventOf(fact));
  return 'done';
}

function eventOf({ streamNo, final, open }: StreamFact): PluginEvent {
  const { status, reason, sequence, bytes, metadata, epoch } = final!;
  return { id: `${streamNo}/${epoch}/${status}`, streamNo, channel: open.channel, status, reason, sequence, bytes, metadata: { ...open.metadata, ...metadata } };
}
