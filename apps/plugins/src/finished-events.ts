import type { Logger } from 'pino';
import type { PluginEvent } from '@rivulet/plugin-sdk';
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
    void this.deliver(request, eventOf(request, fact), RETRY_MS);
  }

  private async deliver(request: RequestRecord, event: PluginEvent, waitMs: number): Promise<void> {
    const { streamNo, plugin } = request;
    try {
      const process = this.plugins.host(plugin)?.running;
      if (!process) throw new Error(`${plugin} does not run`);
      await process.hook('persistAfter', event, HOOK_MS_MAX);
      this.telling.delete(streamNo);
      this.onTold(streamNo);
    } catch (error) {
      this.logger.warn({ streamNo, plugin, message: (error as Error).message, waitMs }, 'persistAfter failed; it is tried again');
      setTimeout(() => void this.deliver(request, event, Math.min(waitMs * 2, RETRY_MS_MAX)), waitMs).unref();
    }
  }
}

function eventOf({ streamNo, channel }: RequestRecord, { final, open }: StreamFact): PluginEvent {
  const { status, reason, sequence, bytes, metadata, epoch } = final!;
  return { id: `${streamNo}/${epoch}/${status}`, streamNo, channel, status, reason, sequence, bytes, metadata: { ...open.metadata, ...metadata } };
}
