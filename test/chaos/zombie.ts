/** A child process that produces, is frozen in the middle, and wakes when a retry from elsewhere has taken its stream over. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';

export interface ZombieOptions { url: string; token: string; label: string; fragments: number; intervalMs: number; open: object }

interface Message { streamNo?: string; acknowledged?: number; refused?: string; isUnfenced?: boolean }

const running = new Set<ChildProcess>();

/** For a Ctrl-C: frozen children do not notice that their parent goes. */
export function killZombies(): void {
  for (const child of running) child.kill('SIGKILL');
}

export class Zombie {
  /** Resolves with the streamNo. */
  readonly opened: Promise<string>;
  /** How it ended: the code it was refused with, `unfenced` when it wrote everything, or how its process went. */
  readonly ended: Promise<string>;
  private readonly child: ChildProcess;
  private acknowledged = 0;
  private onAcknowledged: (sequence: number) => void = () => undefined;

  constructor(options: ZombieOptions) {
    this.child = fork(path.join(__dirname, 'zombie-producer.cjs'), [JSON.stringify(options)], { execArgv: [] });
    running.add(this.child);
    this.opened = new Promise((resolve, reject) => {
      this.child.on('message', ({ streamNo }: Message) => { if (streamNo !== undefined) resolve(streamNo); });
      this.child.on('exit', () => reject(new Error('the zombie ended before it had a stream')));
    });
    this.opened.catch(() => undefined);
    this.ended = new Promise((resolve) => {
      this.child.on('message', ({ refused, isUnfenced }: Message) => {
        if (refused !== undefined || isUnfenced) resolve(refused ?? 'unfenced');
      });
      this.child.on('exit', (code, signal) => {
        running.delete(this.child);
        resolve(signal ?? `code ${code}`);
      });
    });
    this.child.on('message', ({ acknowledged }: Message) => {
      if (acknowledged === undefined) return;
      this.acknowledged = Math.max(this.acknowledged, acknowledged);
      this.onAcknowledged(this.acknowledged);
    });
  }

  /** Also what came before anybody listened. */
  listen(onAcknowledged: (sequence: number) => void): void {
    this.onAcknowledged = onAcknowledged;
    if (this.acknowledged > 0) onAcknowledged(this.acknowledged);
  }

  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  wake(): void {
    this.child.kill('SIGCONT');
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}
