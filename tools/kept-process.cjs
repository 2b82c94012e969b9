'use strict';
// A foreign program as our child: a JVM or docker compose does not notice that its parent was killed, so a shell stands between.
// Its stdin is a pipe from us; when we are gone, for whatever reason, the pipe ends and the program is asked to stop.
const { spawn } = require('node:child_process');
const fs = require('node:fs');

const KEEPER = 'exec 3<&0; "$@" </dev/null & program=$!; { cat <&3 >/dev/null; kill $program; } 2>/dev/null & keeper=$!; '
  + 'wait $program; code=$?; kill $keeper 2>/dev/null; exit $code';
const STOP_MS_MAX = 20_000;

class KeptProcess {
  #child;

  /** @param {string[]} command @param {{ cwd: string, logFile: string, env?: NodeJS.ProcessEnv }} options */
  constructor(command, { cwd, logFile, env }) {
    const log = fs.openSync(logFile, 'w');
    // detached: a Ctrl-C in the terminal reaches the whole process group, and a broker must outlive the apps that drain into it.
    this.#child = spawn('sh', ['-c', KEEPER, 'keeper', ...command], { stdio: ['pipe', log, log], detached: true, cwd, env });
    fs.closeSync(log);
    this.logFile = logFile;
    /** @type {Promise<string>} how it ended */
    this.exited = new Promise((resolve) => {
      this.#child.on('exit', (code, signal) => resolve(signal ?? `code ${code}`));
      this.#child.on('error', (error) => resolve(error.message));
    });
  }

  /** @returns {number} */
  get pid() {
    return /** @type {number} */ (this.#child.pid);
  }

  /** @returns {boolean} */
  get isGone() {
    return this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined;
  }

  /** To the program and the shell. @param {NodeJS.Signals} signal */
  kill(signal) {
    if (!this.isGone) process.kill(-this.pid, signal);
  }

  /** Asks it to stop, and ends it when it has not after a bound. @returns {Promise<void>} */
  async stop() {
    /** @type {import('node:stream').Writable} */ (this.#child.stdin).end();
    const timer = setTimeout(() => this.kill('SIGKILL'), STOP_MS_MAX);
    await this.exited;
    clearTimeout(timer);
  }

  /** @param {number} [lines] @returns {string} the end of its log */
  tail(lines = 15) {
    return fs.readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }
}

module.exports = { KeptProcess };
