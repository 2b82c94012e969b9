import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { eventually } from './eventually';
import type { Acknowledged } from './history';

export interface ProducerOrder {
  url: string;
  apiKey: string;
  open?: object;
  retry?: { streamNo: string; keep: 'all' | 'none' };
  /** The token of an earlier process, without its memory. */
  resume?: { streamNo: string; epoch: number; writeToken: string };
  fragments: number;
  intervalMs: number;
  word: string;
}
export interface Started { streamNo: string; epoch: number; writeToken: string; next: number }

/** Runs producer-child.cjs and gathers what it says. */
export class ProducerProcess {
  readonly acknowledged: Acknowledged[] = [];
  started: Started | null = null;
  failure: { code: string; text: string } | null = null;
  status: string | null = null;
  private readonly child: ChildProcess;
  private readonly exited: Promise<unknown>;
  private noise = '';

  constructor(order: ProducerOrder) {
    const args = [path.join(__dirname, 'producer-child.cjs'), JSON.stringify(order)];
    this.child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stderr!.on('data', (bytes) => { this.noise += bytes; });
    createInterface({ input: this.child.stdout! }).on('line', (line) => this.take(JSON.parse(line)));
  }

  async start(): Promise<Started> {
    return eventually(() => {
      if (this.started === null) throw new Error(`the producer has not started: ${JSON.stringify(this.failure)} ${this.noise}`);
      return this.started;
    });
  }

  async untilAcknowledged(count: number): Promise<void> {
    await eventually(() => {
      if (this.acknowledged.length >= count) return;
      throw new Error(`${this.acknowledged.length} of ${count} acknowledged: ${JSON.stringify(this.failure)} ${this.noise}`);
    });
  }

  /** Ends it, or stops and continues it. */
  async signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    this.child.kill(signal);
    if (signal === 'SIGKILL') await this.exited;
  }

  /** @returns once it is gone by itself */
  async untilExited(): Promise<void> {
    await this.exited;
  }

  private take(line: { kind: string } & Record<string, never>): void {
    const { kind, ...facts } = line as { kind: string } & Record<string, unknown>;
    if (kind === 'started') this.started = facts as unknown as Started;
    else if (kind === 'failed') this.failure ??= facts as unknown as { code: string; text: string };
    else if (kind === 'ended') this.status = String(facts['status']);
    else if (kind === 'acknowledged') {
      const { streamNo, epoch } = this.started!;
      this.acknowledged.push({ streamNo, epoch, sequence: Number(facts['sequence']), payload: Buffer.from(String(facts['text'])) });
    }
  }
}
