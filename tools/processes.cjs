'use strict';
// Starting, watching and stopping child processes: for `npm start`, and for tests and benches that need real processes.
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.resolve(__dirname, '..');
/** One that cannot start ends by itself and is told at once; one that only starts slowly, on a loaded machine, is waited for. */
const READY_MS_MAX = 150_000;
const STOP_MS_MAX = 20_000;
const PROBE_MS_MAX = 2_000;

/**
 * @typedef {{ name: string, script: string, args?: string[], env?: NodeJS.ProcessEnv, logFile: string, readyUrl?: string,
 *   nodeArgs?: string[] }} ChildOptions
 */

/** One child: a Node program of this repository, its output in a file. */
class Child {
  /** @param {ChildOptions} options script: relative to the root of the repository */
  constructor(options) {
    this.options = options;
    this.name = options.name;
    fs.mkdirSync(path.dirname(options.logFile), { recursive: true });
    const log = fs.openSync(options.logFile, 'a');
    const preload = ['--require', path.join(__dirname, 'with-parent.cjs')];
    const script = path.resolve(ROOT, options.script);
    // The file is the child's own: its output neither waits for us nor breaks when we die.
    // detached: a Ctrl-C in the terminal must reach only us, so that the children can be stopped in order.
    this.process = spawn(process.execPath, [...preload, ...(options.nodeArgs ?? []), script, ...(options.args ?? [])],
      { cwd: ROOT, env: options.env, detached: true, stdio: ['ignore', log, log, 'ipc'] });
    fs.closeSync(log);
    /** @type {Promise<string>} how it ended: a signal's name or an exit code */
    this.exited = new Promise((resolve) => {
      this.process.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
      this.process.once('error', (error) => resolve(error.message));
    });
  }

  /** @returns {number} */
  get pid() {
    return /** @type {number} */ (this.process.pid);
  }

  /** @returns {boolean} */
  get isGone() {
    return this.process.exitCode !== null || this.process.signalCode !== null || this.process.pid === undefined;
  }

  /** @param {NodeJS.Signals} signal */
  kill(signal) {
    if (!this.isGone) this.process.kill(signal);
  }

  /** Asks it to drain, and ends it when it has not after a bound. @param {number} [msMax] @returns {Promise<string>} */
  async stop(msMax = STOP_MS_MAX) {
    this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), msMax);
    const how = await this.exited;
    clearTimeout(timer);
    return how;
  }

  /** @param {number} [lines] @returns {string} the end of its log */
  tail(lines = 25) {
    return fs.readFileSync(this.options.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** Resolves when its readyUrl answers 200. @param {number} [msMax] @returns {Promise<void>} */
  async ready(msMax = READY_MS_MAX) {
    const url = /** @type {string} */ (this.options.readyUrl);
    const deadline = Date.now() + msMax;
    let last = 'not asked';
    while (Date.now() < deadline) {
      if (this.isGone) throw this.#failure(`ended (${await this.exited}) before it was ready`);
      try {
        const answer = await fetch(url, { signal: AbortSignal.timeout(PROBE_MS_MAX) });
        if (answer.status === 200) return;
        last = `${answer.status} ${(await answer.text()).slice(0, 300)}`;
      } catch (error) {
        last = String(/** @type {Error} */ (error).cause ?? error);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw this.#failure(`was not ready after ${msMax} ms (${url}: ${last})`);
  }

  /** @param {string} what */
  #failure(what) {
    return new Error(`${this.name} ${what}; the end of ${this.options.logFile}:\n${this.tail()}`);
  }
}

module.exports = { Child, ROOT };
