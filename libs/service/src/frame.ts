import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { DestinationStream, Logger } from 'pino';
import { Auth } from './auth';
import { Origins } from './cors';
import { Drain } from './drain';
import { buildLogger } from './logger';
import { Metrics } from './metrics';
import { Quotas } from './quotas';
import { Readiness } from './readiness';
import type { ServiceConfig } from './service-rows';
import { SocketRoutes } from './sockets';
import { StreamNos } from './stream-nos';

export interface RouteFact { method: string; url: string }

/** What every process has around its work. Built once, passed as an argument. */
export interface Frame {
  readonly app: string;
  /** Random per start: names the writer of unnumbered appends, the owner in lifecycle, the process in logs. */
  readonly instance: string;
  readonly config: ServiceConfig;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  readonly auth: Auth;
  readonly quotas: Quotas;
  readonly streamNos: StreamNos;
  readonly drain: Drain;
  readonly sockets: SocketRoutes;
  readonly origins: Origins;
  /** Every HTTP route of the app, as it is registered; the OpenAPI document is tested against it. */
  readonly routes: RouteFact[];
  requestId(request: IncomingMessage): string;
}

export function buildFrame(app: string, config: ServiceConfig, logDestination?: DestinationStream): Frame {
  const instance = randomBytes(6).toString('hex');
  const logger = buildLogger(app, instance, config.logLevel, logDestination);
  const readiness = new Readiness();
  const drain = new Drain(logger, config.drainMsMax);
  readiness.add('serving', () => (drain.isDraining ? 'draining: this instance is about to stop' : null));
  const origins = new Origins(config.corsOrigins, config.publicUrl);
  const requestId = requestIds(instance);
  const isAuthOn = config.auth === 'on';
  const metrics = new Metrics(app);
  return {
    app, instance, config, logger, readiness, drain, origins, requestId, metrics,
    auth: new Auth({
      isOn: isAuthOn, apiKeys: config.apiKeys, tokenKeys: keysOrRandom(config.tokenKeys), tokenCacheMax: config.tokenCacheMax,
    }),
    quotas: new Quotas(config.quotas, new Set(config.apiKeys.map(({ id }) => id)), metrics),
    streamNos: new StreamNos(keysOrRandom(config.streamNoKeys)),
    sockets: new SocketRoutes({ origins, frameBytesMax: config.wsFrameBytesMax, isAuthOn, isDraining: () => drain.isDraining, requestId }),
    routes: [],
  };
}

/** Without keys (the memory log only; the config table sees to that) what is issued lives as long as the process, as all else then. */
const keysOrRandom = (keys: readonly Uint8Array[]): readonly Uint8Array[] => (keys.length > 0 ? keys : [randomBytes(32)]);

/** The caller's X-Request-Id when it is harmless, else one of ours; the same for the whole life of a request. */
function requestIds(instance: string): (request: IncomingMessage) => string {
  let count = 0;
  return (request) => {
    const given = request.headers['x-request-id'];
    if (typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given)) return given;
    count += 1;
    return `${instance}-${count.toString(36)}`;
  };
}
