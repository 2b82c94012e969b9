import type { ConfigOf, Rows } from './config-row';
import { ConfigError, helpText, printConfig, readConfig } from './config';
import { buildFrame } from './frame';
import type { Frame } from './frame';
import type { ServiceConfig } from './service-rows';

export interface Main<R extends Rows> {
  app: string;
  /** All rows the process takes: `{ ...serviceRows, ...ownRows }`. */
  rows: R;
  /** E.g. `RIVULET_INGEST_`. */
  appPrefixes: string | readonly string[];
  /** Starts the app; what it starts is stopped through frame.drain. */
  start: (config: ConfigOf<R> & ServiceConfig, frame: Frame) => Promise<void>;
}

/** The life of a process: options, config, start, signals, crash. */
export async function runMain<R extends Rows>(main: Main<R>): Promise<void> {
  const args = process.argv.slice(2);
  const unknown = args.find((arg) => arg !== '--help' && arg !== '--check-config');
  if (unknown !== undefined) return exitWith(1, `Unknown option ${unknown}. Options: --check-config, --help.`);
  if (args.includes('--help')) return exitWith(0, helpText(main.app, main.rows));
  let config;
  try {
    config = readConfig(main.rows, process.env, main.appPrefixes) as ConfigOf<R> & ServiceConfig;
  } catch (error) {
    if (error instanceof ConfigError) return exitWith(1, error.message);
    throw error;
  }
  if (args.includes('--check-config')) return exitWith(0, printConfig(main.rows, config));
  const frame = buildFrame(main.app, config);
  endWith(frame);
  try {
    await main.start(config, frame);
  } catch (error) {
    crash(frame, error, 'failed to start');
  }
}

function exitWith(code: number, text: string): void {
  (code === 0 ? process.stdout : process.stderr).write(`${text}\n`);
  process.exitCode = code;
}

function endWith(frame: Frame): void {
  const stop = (signal: NodeJS.Signals): void => {
    if (frame.drain.isDraining) {
      frame.logger.warn({ signal }, 'second signal: exiting at once');
      process.exit(130);
    }
    frame.logger.info({ signal }, 'draining');
    void frame.drain.run().then((isComplete) => process.exit(isComplete ? 0 : 1));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // After an error nobody expected no state can be trusted; whoever started us starts a fresh process, which folds the log again.
  process.on('uncaughtException', (error) => crash(frame, error, 'uncaught exception'));
  process.on('unhandledRejection', (reason) => crash(frame, reason, 'unhandled rejection'));
}

function crash(frame: Frame, error: unknown, what: string): never {
  frame.logger.fatal({ err: error }, what);
  process.exit(1);
}
