import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { HistoryTurn, PluginRequest } from '@rivulet/plugin-sdk';
import { OutputLines } from './output-lines';
import { PluginFailure } from './plugin-failure';
import { fromChild } from './plugin-messages';
import type { ChildFault, FromChild, HookName, Loaded, ToChild } from './plugin-messages';

/** Where what a plugin writes goes. Calls come in the order of the writes. */
export interface AnswerSink {
  write(content: unknown, lane: string | undefined): Promise<void>;
  flush(): Promise<void>;
  rewind(): Promise<void>;
  progress(progress: { done: number; total?: number | undefined; note?: string | undefined }): void;
  history(channel: string, turnsMax: number): Promise<HistoryTurn[]>;
}

export interface ProcessOptions {
  /** The program of the child, and node's arguments for it. */
  program: string;
  nodeArgs: readonly string[];
  file: string;
  folder: string;
  isOurs: boolean;
  settings: unknown;
  /** It is loaded without a configuration, to see what it says of itself. */
  isTrial?: boolean;
  drop: { uid: number; gid: number } | null;
  memoryMb: number;
  startMsMax: number;
  pingMs: number;
  hungMsMax: number;
}
export interface ProcessHandlers {
  onLoaded(loaded: Loaded): void;
  onFault(fault: ChildFault): void;
  onLine(line: string): void;
  /** Once. What it was working on has been rejected. */
  onExit(why: string): void;
}

interface Call { sink: AnswerSink | null; waiting: number; resolve(value: unknown): void; reject(error: PluginFailure): void }
export interface Running { readonly done: Promise<unknown>; stop(code: string, message: string): void }

/** Writes of one answer that the plugin did not wait for; beyond it the answer has failed. */
const WAITING_MAX = 4_096;
/** Messages of one process between two pings. Far above what a plugin that awaits its writes can send. */
const MESSAGES_MAX = 200_000;

/**
 * [PLUGIN-2] One child process with one plugin in it. States: starting → loaded → gone; a fault, a hang, a message that is none and a
 * late start all end in `gone`, by SIGKILL: a plugin may ignore anything else. Nothing it does reaches beyond its own calls.
 */
export class PluginProcess {
  private readonly child: ChildProcess;
  private readonly calls = new Map<number, Call>();
  private readonly timers: NodeJS.Timeout[] = [];
  private nextId = 0;
  private pings = 0;
  /** Pings since it was heard. */
  private unanswered = 0;
  private messages = 0;
  private heardAt = performance.now();
  private why: string | null = null;
  private isLoaded = false;
  private isGone = false;

  constructor(private readonly options: ProcessOptions, private readonly handlers: ProcessHandlers) {
    const { program, nodeArgs, memoryMb } = options;
    this.child = fork(program, [], {
      // Of our own environment a plugin gets nothing but where programs are: no keys, no addresses.
      env: { PATH: process.env['PATH'] ?? '', NODE_ENV: process.env['NODE_ENV'] ?? 'production', TZ: process.env['TZ'] ?? '' },
      execArgv: [...nodeArgs, `--max-old-space-size=${memoryMb}`],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'], serialization: 'advanced', cwd: '/',
    });
    this.child.on('message', (message) => this.take(message));
    this.child.on('error', (error) => this.kill(`could not be run: ${error.message}`));
    this.child.once('exit', (code, signal) => this.exited(code, signal));
    for (const output of [this.child.stdout, this.child.stderr]) if (output) new OutputLines(output, (line) => handlers.onLine(line));
    const { file, folder, isOurs, drop, settings, isTrial = false, startMsMax, pingMs } = options;
    this.send({ type: 'load', file, folder, isOurs, drop, settings, isTrial });
    this.timers.push(setTimeout(() => this.kill(`did not load within ${startMsMax} ms`), startMsMax));
    this.timers.push(setInterval(() => this.ping(), pingMs));
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  receive(request: PluginRequest, sink: AnswerSink): Running {
    const id = ++this.nextId;
    const done = this.call(id, sink, { type: 'receive', id, request });
    return { done, stop: (code, message) => { if (this.calls.has(id)) this.send({ type: 'stop', id, code, message }); } };
  }

  /** @throws PluginFailure what the hook threw, or PLUGIN_TIMEOUT */
  async hook(hook: Exclude<HookName, 'receive'>, argument: unknown, msMax: number): Promise<unknown> {
    const id = ++this.nextId;
    const late = setTimeout(() => this.settle(id)?.reject(new PluginFailure('PLUGIN_TIMEOUT', `${hook} took longer than ${msMax} ms.`)), msMax);
    try {
      return await this.call(id, null, { type: 'hook', id, hook, argument });
    } finally {
      clearTimeout(late);
    }
  }

  kill(why: string): void {
    this.why ??= why;
    this.child.kill('SIGKILL');
  }

  private call(id: number, sink: AnswerSink | null, message: ToChild): Promise<unknown> {
    if (this.isGone) return Promise.reject(new PluginFailure('PLUGIN_CRASHED', 'The process of the plugin is gone.'));
    const done = new Promise<unknown>((resolve, reject) => this.calls.set(id, { sink, waiting: 0, resolve, reject }));
    this.send(message);
    return done;
  }

  private take(raw: unknown): void {
    const parsed = fromChild.safeParse(raw);
    if (!parsed.success) return this.kill(`sent what is no message of a plugin (${parsed.error.issues[0]?.path.join('.') ?? ''})`);
    const message = parsed.data;
    if (++this.messages > MESSAGES_MAX) return this.kill('floods the host with messages');
    this.heardAt = performance.now();
    this.unanswered = 0;
    switch (message.type) {
      case 'loaded': return this.loaded(message);
      case 'fault': return this.handlers.onFault(message);
      case 'log': return this.handlers.onLine(message.facts ? `${message.message} ${JSON.stringify(message.facts)}` : message.message);
      case 'answer': return void this.settle(message.id)?.resolve(message.value);
      case 'failed': return void this.settle(message.id)?.reject(new PluginFailure(message.code ?? 'PLUGIN_FAILED', message.message, message.isFinal));
      case 'progress': return this.calls.get(message.id)?.sink?.progress(message);
      case 'pong': return;
      default: return void this.serve(message);
    }
  }

  private loaded(message: Loaded): void {
    clearTimeout(this.timers[0]);
    this.isLoaded = true;
    this.handlers.onLoaded(message);
  }

  private async serve(message: Extract<FromChild, { type: 'write' | 'flush' | 'rewind' | 'history' }>): Promise<void> {
    const { id, n } = message;
    const call = this.calls.get(id);
    if (!call?.sink) return this.send({ type: 'refused', id, n, code: 'STREAM_FINAL', message: 'The answer is over.' });
    call.waiting += 1;
    if (call.waiting > WAITING_MAX) {
      return void this.settle(id)?.reject(new PluginFailure('PLUGIN_FAILED', 'The plugin does not await its writes.'));
    }
    try {
      this.send({ type: 'done', id, n, ...(await perform(call.sink, message)) });
    } catch (error) {
      const { code = 'INTERNAL', message: text } = error as Error & { code?: string };
      this.send({ type: 'refused', id, n, code, message: text });
    } finally {
      call.waiting -= 1;
    }
  }

  private settle(id: number): Call | undefined {
    const call = this.calls.get(id);
    this.calls.delete(id);
    return call;
  }

  private send(message: ToChild): void {
    // A channel that closes while we write is an exit that is about to be told.
    if (this.child.connected) this.child.send(message, () => undefined);
  }

  private ping(): void {
    const { hungMsMax, pingMs } = this.options;
    // Counted in pings and not by the clock: of the time in which this process itself stood still its plugins know nothing.
    // While it loads, the time-out of the start counts: loading is synchronous and answers no ping.
    if (this.isLoaded && this.unanswered * pingMs > Math.max(hungMsMax, pingMs * 2)) {
      return this.kill(`answered no ping for ${Math.round(performance.now() - this.heardAt)} ms`);
    }
    this.pings += 1;
    this.unanswered += 1;
    this.messages = 0;
    this.send({ type: 'ping', n: this.pings });
  }

  private exited(code: number | null, signal: NodeJS.Signals | null): void {
    this.isGone = true;
    for (const timer of this.timers) clearInterval(timer);
    const why = this.why ?? (signal ? `was ended by ${signal}` : `exited with code ${code}`);
    for (const id of [...this.calls.keys()]) this.settle(id)?.reject(new PluginFailure('PLUGIN_CRASHED', `The process of the plugin ${why}.`));
    this.handlers.onExit(why);
  }
}

async function perform(
  sink: AnswerSink, message: Extract<FromChild, { type: 'write' | 'flush' | 'rewind' | 'history' }>,
): Promise<{ turns?: HistoryTurn[] }> {
  if (message.type === 'history') return { turns: await sink.history(message.channel, message.turnsMax) };
  if (message.type === 'write') await sink.write(message.content, message.lane);
  else if (message.type === 'flush') await sink.flush();
  else await sink.rewind();
  return {};
}
