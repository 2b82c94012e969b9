import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';

const BIN = path.resolve(__dirname, '..', '..', 'apps', 'cli', 'bin', 'rivulet.js');

export interface CliOptions { env?: NodeJS.ProcessEnv; cwd?: string; input?: string | Buffer }
export interface CliEnd { code: number | null; stdout: string; stderr: string; bytes: Buffer }

/** Everything any of them printed: no secret may be in it. */
export const printed: string[] = [];

/** The real command as a real process, built before. Nothing of our environment reaches it but what is given. */
export class CliProcess {
  readonly child: ChildProcess;
  readonly end: Promise<CliEnd>;
  private out: Buffer[] = [];
  private error = '';

  constructor(args: string[], { env = {}, cwd = os.tmpdir(), input }: CliOptions = {}) {
    this.child = spawn(process.execPath, [BIN, ...args], { cwd, env: { PATH: process.env['PATH'], ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdout!.on('data', (bytes: Buffer) => this.out.push(bytes));
    this.child.stderr!.on('data', (bytes: Buffer) => (this.error += bytes.toString()));
    this.child.stdin!.on('error', () => undefined);
    if (input !== undefined) this.child.stdin!.end(input);
    this.end = new Promise((resolve) => this.child.once('close', (code) => {
      printed.push(this.stdout, this.stderr);
      resolve({ code, stdout: this.stdout, stderr: this.stderr, bytes: Buffer.concat(this.out) });
    }));
  }

  get stdout(): string {
    return Buffer.concat(this.out).toString();
  }

  get stderr(): string {
    return this.error;
  }
}

export const runCli = (args: string[], options: CliOptions = {}): Promise<CliEnd> => new CliProcess(args, { input: '', ...options }).end;
