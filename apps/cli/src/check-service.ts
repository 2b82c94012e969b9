import { StreamError } from '@rivulet/protocol';
import type { Check } from './check';
import { ask } from './service';
import type { Answer } from './service';
import type { ServicePlace } from './settings';

/** More than this and expiries of tokens, leases and times shown to people are wrong, ms. */
export const CLOCK_MS_MAX = 2_000;
/** The header Date has whole seconds. */
const DATE_MS = 1_000;

/**
 * Asked through what everybody uses: a proxy in between may answer /healthz and /readyz itself, or not pass them on at all.
 * @returns whether anything answers that the other checks can be made with
 */
export async function checkService(check: Check, place: ServicePlace): Promise<boolean> {
  try {
    const api = await ask(place, '/v1/admin/streams?limit=1', { token: '' });
    if (!isOurs(api)) {
      check.found('NOT_RIVULET', `What answers at ${place.url} (HTTP ${api.status}) is not Rivulet.`, 'Give the address of the installation with --url or RIVULET_URL, and let what stands before it pass /v1 on.');
      return false;
    }
    const ready = await ask(place, '/readyz', { token: '' });
    check.saw(`answers in ${Math.round(api.tookMs)} ms`);
    if (ready.status === 503) {
      check.found('SERVICE_NOT_READY', `It answers, but is not ready: ${JSON.stringify(ready.body ?? ready.status)}.`, 'Look at what the answer of /readyz names; mostly it is Kafka, or an instance that is just starting.');
    }
    checkDate(check, ready.headers.get('date'), ready.tookMs);
    return true;
  } catch (error) {
    const known = error instanceof StreamError ? error : null;
    if (known === null) throw error;
    check.found('SERVICE_UNREACHABLE', known.details.detail ?? known.code, 'Start it (npm start, docker compose up), or give its address with --url or RIVULET_URL.');
    return false;
  }
}

/** Every answer of the API says whose it is, refusals too; a proxy of ours says so when it reaches no service. */
function isOurs({ status, body }: Answer): boolean {
  const { type, streams } = (body ?? {}) as { type?: string; streams?: unknown };
  return type?.startsWith('urn:rivulet:error:') === true || (status === 200 && Array.isArray(streams));
}

function checkDate(check: Check, date: string | null, tookMs: number): void {
  if (date === null) return;
  const skewMs = Date.parse(date) + DATE_MS / 2 - (Date.now() - tookMs / 2);
  if (Math.abs(skewMs) - DATE_MS / 2 - tookMs / 2 <= CLOCK_MS_MAX) return;
  check.found('CLOCK_SKEW_SERVICE', `The clock of the service is ${seconds(skewMs)} this machine's.`, 'Keep both by NTP (chrony, systemd-timesyncd): tokens and leases end by these clocks.');
}

export const seconds = (ms: number): string => `${(Math.abs(ms) / 1000).toFixed(1)} s ${ms > 0 ? 'ahead of' : 'behind'}`;

/** [WATCH-11] A page of this origin may call: asked as a browser asks, of the writing and of the reading side. */
export async function checkCors(check: Check, place: ServicePlace, origin: string): Promise<void> {
  const refused: string[] = [];
  for (const [path, method] of [['/v1/streams', 'POST'], ['/v1/watch/channels/doctor/events', 'GET']] as const) {
    const headers = { origin, 'access-control-request-method': method, 'access-control-request-headers': 'authorization,content-type' };
    const answer = await ask(place, path, { method: 'OPTIONS', token: '', headers });
    const allowed = answer.headers.get('access-control-allow-origin');
    if (allowed !== origin && allowed !== '*') refused.push(`${method} ${path}`);
    else if (!/authorization/i.test(answer.headers.get('access-control-allow-headers') ?? '')) {
      check.found('CORS_HEADERS', `${path} is allowed for ${origin}, but not with the header Authorization.`, 'Let the proxy in between pass our Access-Control headers on instead of making its own.');
    }
  }
  if (refused.length === 0) check.saw(`pages of ${origin} may call`);
  else check.found('CORS_REFUSED', `Pages of ${origin} may not call ${refused.join(' and ')}.`, `Add ${origin} to RIVULET_CORS_ORIGINS of allocator, ingest and fanout, and restart them.`);
}
