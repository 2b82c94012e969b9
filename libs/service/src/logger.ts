import pino from 'pino';
import type { DestinationStream, Logger } from 'pino';
import type { LoggerService } from '@nestjs/common';

/** Whatever is logged under these names is not shown: a key in a log is a key given away. */
const SECRET_PATHS = ['authorization', 'token', 'writeToken', 'readToken', 'apiKey', 'serviceToken']
  .flatMap((name) => [name, `*.${name}`]);

/** Structured logs, one JSON object per line on stdout. Fields used everywhere: streamNo, requestId, partition, err. */
export function buildLogger(app: string, instance: string, level: string, destination?: DestinationStream): Logger {
  const options = { level, base: { app, instance }, redact: { paths: SECRET_PATHS, censor: '[redacted]' } };
  return destination ? pino(options, destination) : pino(options);
}

/** A URL with its query token hidden: read tokens may come there (EventSource has no headers). */
export function redactUrl(url: string): string {
  return url.replace(/([?&](?:token|access_token)=)[^&#]*/gi, '$1[redacted]');
}

/** Nest's own messages through pino. Its start-up chatter is debug. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, context?: string): void {
    this.logger.debug({ context }, String(message));
  }

  error(message: unknown, stack?: string, context?: string): void {
    this.logger.error({ context, stack }, String(message));
  }

  warn(message: unknown, context?: string): void {
    this.logger.warn({ context }, String(message));
  }

  debug(message: unknown, context?: string): void {
    this.logger.debug({ context }, String(message));
  }

  verbose(message: unknown, context?: string): void {
    this.logger.trace({ context }, String(message));
  }

  fatal(message: unknown, context?: string): void {
    this.logger.fatal({ context }, String(message));
  }
}
