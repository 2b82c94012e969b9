import { request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { eventually } from './eventually';

/** A request whose body is sent bit by bit while its NDJSON answer is read. */
export class LineClient {
  readonly lines: Record<string, unknown>[] = [];
  status = 0;
  text = '';
  isEnded = false;
  error: Error | null = null;
  private readonly request: ClientRequest;

  constructor(url: string, headers: Record<string, string>, method = 'POST') {
    this.request = httpRequest(url, { method, headers: { 'transfer-encoding': 'chunked', ...headers } }, (response) => this.read(response));
    this.request.on('error', (error) => (this.error = error));
    this.request.flushHeaders();
  }

  send(bytes: string | Uint8Array): void {
    this.request.write(bytes);
  }

  /** @returns whether the socket takes more without buffering */
  write(bytes: Uint8Array): boolean {
    return this.request.write(bytes);
  }

  end(): void {
    this.request.end();
  }

  /** Vanishes without a word. */
  vanish(): void {
    this.request.destroy();
  }

  /** @returns the first line for which the test holds */
  line(test: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
    return eventually(() => {
      const found = this.lines.find(test);
      if (!found) throw new Error(`no such line among ${this.text.slice(0, 2000)} (status ${this.status}, error ${this.error?.message})`);
      return found;
    });
  }

  ended(): Promise<void> {
    return eventually(() => {
      if (!this.isEnded) throw new Error(`the answer has not ended: ${this.text.slice(0, 2000)}`);
    });
  }

  private read(response: IncomingMessage): void {
    this.status = response.statusCode ?? 0;
    let rest = '';
    response.setEncoding('utf8');
    response.on('data', (part: string) => {
      this.text += part;
      const lines = (rest + part).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') this.lines.push(JSON.parse(line));
    });
    response.on('end', () => {
      if (rest !== '') this.lines.push(JSON.parse(rest));
      this.isEnded = true;
    });
    response.on('error', (error) => (this.error = error));
  }
}
