import { ERRORS, StreamError } from '@rivulet/protocol';
import type { ErrorCode } from '@rivulet/protocol';
import { z } from 'zod';

interface SendHooksOptions {
  /** Of plugin hosts; a name may stand for several. */
  hostUrls: readonly string[];
  serviceToken: string;
  /** For all hosts together. */
  sendMsMax: number;
}
export interface OpenToSend { channel: string; by: string; metadata: Record<string, unknown> }

const answerShape = z.discriminatedUnion('allow', [
  z.object({ allow: z.literal(true), metadata: z.record(z.unknown()).optional() }),
  z.object({ allow: z.literal(false), code: z.string(), text: z.string() }),
]);
const problemShape = z.object({ code: z.string(), pluginCode: z.string().optional() });
const RETRY_AFTER_MS = 1_000;

/**
 * [PLUGIN-6] Asks the hook `send` of a plugin before a stream of a bound channel is opened, at the plugin hosts in turn. It fails closed:
 * where nobody answers in time nothing is opened, and the producer is told to come again.
 */
export class SendHooks {
  private turn = 0;

  constructor(private readonly options: SendHooksOptions) {}

  /** @returns what the plugin adds to the metadata. @throws StreamError PLUGIN_REFUSED, PLUGIN_FAILED, PLUGIN_NOT_RUNNING */
  async ask(plugin: string, open: OpenToSend): Promise<Record<string, unknown>> {
    const { hostUrls, sendMsMax } = this.options;
    // One deadline for all of them: a host that hangs must not cost the producer its own time-out.
    const deadline = AbortSignal.timeout(sendMsMax);
    const first = this.turn++;
    let last = 'no host is configured';
    for (let index = 0; index < hostUrls.length && !deadline.aborted; index += 1) {
      const url = hostUrls[(first + index) % hostUrls.length]!;
      // The others must get their share of it, should this one hang.
      const signal = AbortSignal.any([deadline, AbortSignal.timeout(Math.ceil(sendMsMax / hostUrls.length))]);
      try {
        return await this.askHost(url, plugin, open, signal);
      } catch (error) {
        // What the plugin itself says is the answer; a host that does not have it is none.
        if (error instanceof StreamError && ['PLUGIN_REFUSED', 'PLUGIN_FAILED'].includes(error.code)) throw error;
        last = `${url}: ${whyOf(error as Error)}`;
      }
    }
    throw new StreamError('PLUGIN_NOT_RUNNING', { plugin, retryAfterMs: RETRY_AFTER_MS, detail: `The channel is bound to the hook send of ${plugin}, and no plugin host answered (${last}).` });
  }

  private async askHost(url: string, plugin: string, open: OpenToSend, signal: AbortSignal): Promise<Record<string, unknown>> {
    const response = await fetch(`${url}/v1/plugins/${plugin}/send`, {
      method: 'POST', body: JSON.stringify(open), signal, redirect: 'error',
      headers: { authorization: `Bearer ${this.options.serviceToken}`, 'content-type': 'application/json' },
    });
    const said = (await response.json()) as unknown;
    if (!response.ok) throw failureOf(plugin, problemShape.parse(said));
    const answer = answerShape.parse(said);
    if (!answer.allow) throw new StreamError('PLUGIN_REFUSED', { plugin, pluginCode: answer.code, detail: answer.text });
    return answer.metadata ?? {};
  }
}

function failureOf(plugin: string, { code, pluginCode }: z.output<typeof problemShape>): StreamError {
  return new StreamError(code in ERRORS ? code as ErrorCode : 'INTERNAL', { plugin, pluginCode, ...(code === 'PLUGIN_FAILED' ? { detail: 'Its hook send failed.' } : {}) });
}

function whyOf(error: Error): string {
  if (error instanceof StreamError) return error.code;
  if (error.name === 'TimeoutError') return 'no answer in time';
  return (error.cause as { code?: string } | undefined)?.code ?? error.message;
}
