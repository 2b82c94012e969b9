import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as elapse } from 'node:timers/promises';

/** What the endpoint does with one call, step by step. */
export type Step =
  | { say: string } | { reason: string } | { tool: { index: number; id?: string; name?: string; arguments?: string } }
  | { finish: string } | { usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number } }
  | { wait: number } | 'done' | 'cut' | 'stall' | 'close' | 'nonsense'
  | { status: number; body?: object; headers?: Record<string, string> };

export interface Call {
  body: { model: string; messages: { role: string; content: string }[]; stream: boolean; tools?: unknown[] };
  authorization: string | undefined;
  /** When the caller broke the connection off, performance.now ms; null: it did not. */
  abortedAt: number | null;
}

/** A real HTTP server that speaks the streaming format of OpenAI's chat completions, by a script per call; the last one repeats. */
export class ChatEndpoint {
  readonly calls: Call[] = [];
  private scripts: Step[][] = [];
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => void this.answer(request, response));
  }

  static async start(): Promise<ChatEndpoint> {
    const endpoint = new ChatEndpoint();
    await new Promise<void>((resolve) => endpoint.server.listen(0, '127.0.0.1', resolve));
    return endpoint;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
  }

  script(...scripts: Step[][]): void {
    this.scripts = scripts;
    this.calls.length = 0;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of request) text += String(part);
    const call: Call = { body: JSON.parse(text) as Call['body'], authorization: request.headers.authorization, abortedAt: null };
    this.calls.push(call);
    response.on('close', () => { if (!response.writableFinished) call.abortedAt = performance.now(); });
    const steps = this.scripts[Math.min(this.calls.length, this.scripts.length) - 1] ?? [];
    for (const step of steps) if (!(await this.perform(step, call, response))) return;
  }

  /** @returns whether the script goes on */
  private async perform(step: Step, call: Call, response: ServerResponse): Promise<boolean> {
    if (typeof step === 'object' && 'status' in step) {
      response.writeHead(step.status, { 'content-type': 'application/json', ...step.headers });
      response.end(JSON.stringify(step.body ?? { error: { message: `status ${step.status}`, type: 'error' } }));
      return false;
    }
    if (typeof step === 'object' && 'wait' in step) {
      await elapse(step.wait);
      return !response.destroyed;
    }
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
    if (step === 'stall') return false;
    if (step === 'cut') return void response.destroy(), false;
    if (step === 'close') return void response.end(), false;
    if (step === 'done') return void response.end('data: [DONE]\n\n'), false;
    if (step === 'nonsense') return response.write('data: {"choices": [\n\n'), true;
    response.write(`data: ${JSON.stringify(chunkOf(step, call.body.model))}\n\n`);
    return true;
  }
}

function chunkOf(step: Exclude<Step, string | { wait: number } | { status: number }>, model: string): object {
  const chunk = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: `${model}-0042` };
  if ('usage' in step) return { ...chunk, choices: [], usage: step.usage };
  const choice = (delta: object, finish: string | null = null) => ({ ...chunk, choices: [{ index: 0, delta, finish_reason: finish }] });
  if ('say' in step) return choice({ content: step.say });
  if ('reason' in step) return choice({ reasoning_content: step.reason });
  if ('finish' in step) return choice({}, step.finish);
  const { index, id, name, arguments: text } = step.tool;
  return choice({ tool_calls: [{ index, ...(id ? { id, type: 'function' } : {}), function: { ...(name ? { name } : {}), arguments: text ?? '' } }] });
}
