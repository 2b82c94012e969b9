// Keeps the children of `npm start` running: starts one that died again, within a bound, and shows what they warn about.
import fs from 'node:fs';

const RESTARTS_MAX = 5;
const RESTART_WINDOW_MS = 60_000;
const RESTART_PAUSE_MS = 500;
const ECHO_MS = 300;
const PINO_WARN = 40;
const LEVELS = { 40: 'warning', 50: 'error', 60: 'fatal' };

/** @returns {string | null} what people should see of a line of a log: warnings and worse, and (unless isPlain) what is no JSON, a crash */
function worthShowing(line, isPlain) {
  if (line.trim() === '') return null;
  try {
    const { level, msg, err } = JSON.parse(line);
    if (!(level >= PINO_WARN)) return null;
    return `${LEVELS[level] ?? level}: ${[msg, err?.message].filter(Boolean).join(': ')}`;
  } catch {
    // Not one of our log lines: Node itself speaks, which it does when something is badly wrong.
    return isPlain ? null : line;
  }
}

/** Shows the notable lines that are added to a log file. The file is the child's own, so it is read again and again. */
class Echo {
  #position = 0;
  #rest = '';

  constructor(name, file, isPlain) {
    this.name = name;
    this.file = file;
    this.isPlain = isPlain;
  }

  read() {
    const { size } = fs.statSync(this.file);
    if (size <= this.#position) return;
    const bytes = Buffer.alloc(size - this.#position);
    const handle = fs.openSync(this.file, 'r');
    fs.readSync(handle, bytes, 0, bytes.length, this.#position);
    fs.closeSync(handle);
    this.#position = size;
    const lines = (this.#rest + bytes.toString('utf8')).split('\n');
    this.#rest = lines.pop();
    for (const line of lines) {
      const shown = worthShowing(line, this.isPlain);
      if (shown !== null) console.log(`[${this.name}] ${shown}`);
    }
  }
}

export class Supervisor {
  /** @type {Map<string, { child: { exited: Promise<string>, stop(): Promise<unknown> }, start: () => Promise<any>, deaths: number[] }>} */
  #kept = new Map();
  #echoes = [];
  #isStopping = false;
  #giveUp;

  /** @param {(reason: string) => void} giveUp called when a child dies again and again */
  constructor(giveUp) {
    this.#giveUp = giveUp;
    this.timer = setInterval(() => this.#echoes.forEach((echo) => echo.read()), ECHO_MS);
  }

  /** @param {string} name @param {string} logFile @param {{ isPlain?: boolean }} [options] isPlain: it also prints text for people */
  echo(name, logFile, { isPlain = false } = {}) {
    this.#echoes.push(new Echo(name, logFile, isPlain));
  }

  /**
   * @template {{ exited?: Promise<string>, stop(): Promise<unknown> }} C
   * @param {string} name
   * @param {C} child running
   * @param {() => Promise<C>} start starts it anew; resolves when it is ready
   */
  keep(name, child, start) {
    const entry = this.#kept.get(name) ?? { deaths: [] };
    Object.assign(entry, { child, start });
    this.#kept.set(name, entry);
    void child.exited?.then((how) => this.#onExit(name, how));
  }

  async #onExit(name, how) {
    if (this.#isStopping) return;
    const entry = this.#kept.get(name);
    const now = performance.now();
    entry.deaths = [...entry.deaths.filter((at) => now - at < RESTART_WINDOW_MS), now];
    if (entry.deaths.length > RESTARTS_MAX) {
      this.#giveUp(`${name} ended ${entry.deaths.length} times within a minute (last: ${how})`);
      return;
    }
    console.log(`[${name}] ended (${how}); starting it again (${entry.deaths.length} of ${RESTARTS_MAX} within a minute)`);
    await new Promise((resolve) => setTimeout(resolve, RESTART_PAUSE_MS));
    if (this.#isStopping) return;
    try {
      this.keep(name, await entry.start(), entry.start);
      console.log(`[${name}] is back`);
    } catch (error) {
      console.log(`[${name}] ${error.message}`);
      void this.#onExit(name, 'not ready');
    }
  }

  /** Stops in the order given, one after the other. @param {string[]} order */
  async stop(order) {
    this.#isStopping = true;
    for (const name of order) {
      const entry = this.#kept.get(name);
      if (!entry) continue;
      console.log(`  stopping ${name}`);
      await entry.child.stop();
    }
    clearInterval(this.timer);
    this.#echoes.forEach((echo) => echo.read());
  }
}
