import type { Logger } from 'pino';
import type { PluginFacts } from '@rivulet/plugin-sdk';
import { mapAt, segmentsOf } from './config-secrets';
import { crashRemedy, remedyOf } from './plugin-faults';
import type { PluginFault, PluginState } from './plugin-faults';
import { PluginLog } from './plugin-log';
import type { ChildFault, HookName, Loaded } from './plugin-messages';
import { PluginProcess } from './plugin-process';
import type { ProcessOptions } from './plugin-process';
import type { PluginsConfig } from './config';

/** Where a plugin is. For one file of its own, folder and file are the same. */
export interface PluginSource {
  name: string;
  folder: string;
  file: string;
  /** Comes with Rivulet: loaded before rights are given up, like the rest of our code. */
  isOurs: boolean;
  /** As its package.json says, for as long as it has not loaded; '' when there is none. */
  version: string;
  /** SHA-256 of the package, of what is installed. */
  packageDigest?: string;
}
export interface Program extends Pick<ProcessOptions, 'program' | 'nodeArgs'> {
  /** Instead of the main of a shipped plugin's package.json: tests run its source. */
  shippedMain?: string;
}

const FAULT_LINES = 8;

/**
 * One plugin on this host, whatever happens to its process. States: starting → running; every other state is a fault with a remedy. A
 * process that ends is started again after a wait that doubles; after crashesMax within the window it is left alone for a window
 * (CRASH_LOOP), then tried once more.
 */
export class PluginHost {
  readonly log: PluginLog;
  state: PluginState = 'starting';
  fault: PluginFault | null = null;
  facts: PluginFacts | null = null;
  digest = '';
  hooks: readonly HookName[] = [];
  /** Fields of its configuration that are secret; null until it has loaded. */
  secrets: readonly string[] | null = null;
  version: string;
  restarts = 0;
  private process: PluginProcess | null = null;
  private crashes: number[] = [];
  private timer: NodeJS.Timeout | null = null;
  private memoryMb: number;
  private isClosed = false;

  constructor(
    readonly source: PluginSource,
    /** Its configuration. */
    private readonly settings: unknown,
    private readonly config: PluginsConfig,
    private readonly program: Program,
    private readonly logger: Logger,
    private readonly onChange: () => void,
    /** Of the version before this one, so that its last lines are still there. */
    log = new PluginLog(config.logLinesMax),
  ) {
    this.log = log;
    this.memoryMb = config.memoryMb;
    this.version = source.version;
    this.log.hide(textsIn(settings));
    this.start();
  }

  /** null unless it can be worked with now. */
  get running(): PluginProcess | null {
    return this.state === 'running' ? this.process : null;
  }

  get pid(): number | undefined {
    return this.process?.pid;
  }

  private get isInstalled(): boolean {
    return this.source.packageDigest !== undefined;
  }

  close(): void {
    this.isClosed = true;
    if (this.timer) clearTimeout(this.timer);
    this.process?.kill('was stopped by the host');
  }

  private start(): void {
    const { source, config } = this;
    // A fault stays shown until the plugin has loaded: a matrix that flickers tells nobody anything.
    if (!this.fault) this.enter('starting', null);
    let told: ChildFault | null = null;
    const started: PluginProcess = new PluginProcess({
      ...this.program, file: source.file, folder: source.folder, isOurs: source.isOurs, settings: this.settings,
      drop: process.getuid?.() === 0 ? { uid: config.childUid, gid: config.childGid } : null,
      memoryMb: this.memoryMb, startMsMax: config.startMsMax, pingMs: config.pingMs, hungMsMax: config.hungMsMax,
    }, {
      onLoaded: (loaded) => this.loaded(loaded, started),
      onFault: (fault) => { told = fault; },
      onLine: (line) => this.logger.info({ plugin: source.name, line: this.log.add(line) }, 'plugin output'),
      onExit: (why) => this.exited(why, told),
    });
    this.process = started;
  }

  private loaded({ facts, digest, hooks, secrets }: Loaded, started: PluginProcess): void {
    this.version = facts.version;
    this.digest = digest;
    this.secrets = secrets;
    this.log.hide(secrets.flatMap((field) => {
      const found: string[] = [];
      mapAt(this.settings, segmentsOf(field), (secret) => found.push(...textsIn(secret)));
      return found;
    }));
    if (facts.name !== this.source.name) {
      this.enter('START_FAILED', {
        code: 'START_FAILED', detail: `It is found as ${this.source.name} and calls itself ${facts.name}.`,
        remedy: `Give the folder or file, its package.json and definePlugin the same name.`,
      });
      return started.kill('has another name');
    }
    const wanted = Math.min(facts.limits.memoryMb ?? this.config.memoryMb, this.config.memoryMbMax);
    if (wanted !== this.memoryMb) {
      // The heap of a process is fixed at its start, and what the plugin wants is known only now: once more, with that.
      this.memoryMb = wanted;
      return started.kill('is started again with the heap it asks for');
    }
    this.facts = facts;
    this.hooks = hooks;
    this.enter('running', null);
  }

  private exited(why: string, told: ChildFault | null): void {
    this.process = null;
    if (this.isClosed) return;
    if (why === 'is started again with the heap it asks for') return this.start();
    this.logger.warn({ plugin: this.source.name, why: this.log.redact(told?.detail ?? why) }, 'the process of a plugin ended');
    const hadStarted = this.state === 'running';
    this.restarts += 1;
    this.crashes = [...this.crashes, performance.now()].filter((at) => performance.now() - at <= this.config.crashWindowMs);
    const isLoop = this.crashes.length >= this.config.crashesMax;
    const { crashWindowMs, restartMs, restartMsMax } = this.config;
    const waitMs = isLoop ? crashWindowMs : Math.min(restartMs * 2 ** (this.crashes.length - 1), restartMsMax);
    const nextAt = Date.now() + waitMs;
    if (isLoop) this.crashes = [];
    if (told) this.enter(told.code, this.faultOf(told));
    else if (isLoop) this.enter('CRASH_LOOP', { code: 'CRASH_LOOP', detail: `It ${why}, again and again.${this.lastLines()}`, nextAt, ...crashRemedy(nextAt, this.isInstalled) });
    else if (!hadStarted && this.state !== 'CRASH_LOOP') this.failedToStart(why);
    else if (hadStarted) this.enter('starting', null);
    this.timer = setTimeout(() => this.start(), waitMs);
  }

  private failedToStart(why: string): void {
    if (this.fault?.code === 'START_FAILED' && this.fault.detail.startsWith('It is found as')) return;
    const detail = `It ${why}.${this.lastLines()}`;
    this.enter('START_FAILED', { code: 'START_FAILED', detail, remedy: remedyOf({ code: 'START_FAILED', isInstalled: this.isInstalled }) });
  }

  private faultOf(told: ChildFault): PluginFault {
    this.version = told.version ?? this.version;
    const detail = this.log.redact(told.detail) + (told.code === 'START_FAILED' ? this.lastLines() : '');
    const remedy = remedyOf({ ...told, name: this.source.name, isInstalled: this.isInstalled });
    return { code: told.code, detail, remedy, ...(told.field ? { field: told.field } : {}) };
  }

  private lastLines(): string {
    const lines = this.log.newest(FAULT_LINES).map(({ line }) => `\n${line}`).join('');
    return lines === '' ? '' : ` Last of its log:${lines}`;
  }

  private enter(state: PluginState, fault: PluginFault | null): void {
    this.state = state;
    this.fault = fault;
    this.onChange();
  }
}

/**
 * Every text of a configuration that may be a secret. Which fields are, the plugin says only once it has loaded; what it prints before, and
 * what it prints when it fails to, is hidden too.
 */
export function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}
