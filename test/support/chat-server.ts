import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Rivulet } from '@rivulet/client';
import { findUIMessageStream, pipeUIMessageStream } from '@rivulet/client/ai-sdk';
import type { AnswerEnd } from '@rivulet/client/ai-sdk';
import { convertToModelMessages, simulateReadableStream, streamText } from 'ai';
import type { UIMessage, UIMessageChunk } from 'ai';
import { MockLanguageModelV3 } from 'ai/test';

export type Answer = ReadableStream<UIMessageChunk>;
type Part = Awaited<ReturnType<MockLanguageModelV3['doStream']>>['stream'] extends ReadableStream<infer P> ? P : never;

const USAGE = { inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 }, outputTokens: { total: 1, text: 1, reasoning: 0 } };
export const WORDS = Array.from({ length: 40 }, (_, index) => `${index} 字🌊 `);

/** One answer of the model: its text goes on when the test says so, and its call is over when the signal fires. */
export class Model {
  signal: AbortSignal | undefined;
  private proceed: () => void = () => undefined;
  private readonly gate = new Promise<void>((resolve) => { this.proceed = resolve; });
  readonly model = new MockLanguageModelV3({
    doStream: async ({ abortSignal }) => {
      this.signal = abortSignal;
      return { stream: this.parts() };
    },
  });

  goOn(): void {
    this.proceed();
  }

  private parts(): ReadableStream<Part> {
    const { gate, signal } = this;
    const aborted = new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    aborted.catch(() => undefined);
    return ReadableStream.from((async function* (): AsyncGenerator<Part> {
      yield { type: 'stream-start', warnings: [] };
      yield { type: 'text-start', id: 't' };
      for (const [index, delta] of WORDS.entries()) {
        if (index === WORDS.length / 2) await Promise.race([gate, aborted]);
        yield { type: 'text-delta', id: 't', delta };
      }
      yield { type: 'text-end', id: 't' };
      yield { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage: USAGE };
    })()) as ReadableStream<Part>;
  }
}

/** The server of an application: two routes. */
export class ChatServer {
  /** What the next answer is made of. */
  answer: (signal: AbortSignal, messages: UIMessage[]) => Answer | Promise<Answer> = () => simulateReadableStream({ chunks: [] });
  /** Delays the reply of the POST, not the answer. */
  replyAfter: Promise<unknown> = Promise.resolve();
  readonly ends: Promise<AnswerEnd>[] = [];
  private readonly server: Server;
  url = '';

  constructor(private readonly client: Rivulet) {
    this.server = createServer((request, response) => void this.route(request, response));
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return this;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  useModel(): Model {
    const model = new Model();
    this.answer = async (abortSignal, messages) =>
      streamText({ model: model.model, messages: await convertToModelMessages(messages), abortSignal }).toUIMessageStream({ originalMessages: messages, generateMessageId: () => 'answer-1', onError: () => 'broken' });
    return model;
  }

  private async route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chatId = /^\/api\/chat\/(.+)\/stream$/.exec(request.url ?? '')?.[1];
    if (chatId !== undefined) return reply(response, await findUIMessageStream(this.client, chatId));
    const text = await new Response(ReadableStream.from(request)).text();
    const { id, messages } = JSON.parse(text) as { id: string; messages: UIMessage[] };
    const { ticket, done } = await pipeUIMessageStream(this.client, { channel: id }, (signal) => this.answer(signal, messages));
    this.ends.push(done);
    await this.replyAfter;
    return reply(response, ticket);
  }
}

function reply(response: ServerResponse, body: object | null): void {
  response.writeHead(body ? 200 : 204, { 'content-type': 'application/json' }).end(body && JSON.stringify(body));
}
