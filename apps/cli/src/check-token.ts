import type { Check } from './check';
import { ask } from './service';
import type { Answer } from './service';
import type { ServicePlace } from './settings';
import type { Probe } from './probe';

export const SCOPES = ['open', 'write', 'read', 'cancel', 'inspect'] as const;
export type Scope = (typeof SCOPES)[number];

interface Claims { sub?: string; ch?: string; scope?: string; exp?: number; e?: number }

/** What may be done with the credential. API keys say nothing of themselves, so each thing is tried; a token says what it is for. */
export async function checkToken(
  check: Check, place: ServicePlace, probe: Probe | Answer | null, needed: readonly Scope[] | null,
): Promise<void> {
  const claims = claimsOf(place.token);
  if (claims !== null) return checkClaims(check, place, claims, needed ?? []);
  const listed = await ask(place, '/v1/admin/streams?limit=1');
  if (listed.status === 401) {
    if (place.token === '') check.found('TOKEN_MISSING', 'No credential was given, and this installation wants one.', 'Give an API key or token in RIVULET_TOKEN (or --token).');
    else check.found('TOKEN_INVALID', 'The API key is not known to this installation.', 'Take a key of this installation: its RIVULET_API_KEYS has id, role and SHA-256 of each.');
    return;
  }
  const may = new Set<Scope>(listed.status === 200 ? ['inspect', 'read'] : ['read']);
  // Whoever may open may also write, read and cancel what is there: that is what the role producer is.
  if (probe !== null && 'opened' in probe) for (const scope of ['open', 'write', 'read', 'cancel'] as const) may.add(scope);
  const role = may.has('open') ? (may.has('inspect') ? 'operator' : 'producer') : 'viewer';
  const refusal = probe !== null && 'status' in probe ? probe.status : probe === null ? 503 : 0;
  if (refusal >= 500) return check.skip('whether it may open streams cannot be tried while the service does not');
  check.saw(place.token === '' ? 'auth is off: everybody on this machine may do everything' : `an API key of role ${role}: ${[...may].join(', ')}`);
  if (refusal === 429) check.found('QUOTA_EXCEEDED', 'The key may open streams, but its quota is used up.', 'End streams that are open under this key, or raise its RIVULET_QUOTAS.');
  else report(check, may, needed ?? ['open', 'write', 'read'], `a key of role ${role}`, 'Use an API key of role producer or operator (viewer only reads; producer does not inspect).');
}

async function checkClaims(check: Check, place: ServicePlace, claims: Claims, needed: readonly Scope[]): Promise<void> {
  const { sub, ch, scope = '', exp = 0 } = claims;
  const subject = sub !== undefined ? `stream ${sub}` : `channel ${ch ?? '?'}`;
  check.saw(`a token for ${subject}, scopes ${scope}${claims.e === undefined ? '' : `, epoch ${claims.e}`}, until ${new Date(exp * 1000).toISOString()}`);
  if (exp * 1000 <= Date.now()) {
    check.found('TOKEN_EXPIRED', `It expired ${Math.round((Date.now() - exp * 1000) / 1000)} s ago.`, 'Get a new one from whoever opened the stream.');
    return;
  }
  const path = sub !== undefined ? `/v1/watch/${encodeURIComponent(sub)}` : `/v1/watch/channels/${encodeURIComponent(ch ?? '-')}/events`;
  const { status } = await ask(place, path, { method: sub === undefined ? 'HEAD' : 'GET' });
  if (status === 401) {
    check.found('TOKEN_INVALID', 'This installation did not sign it, or it was altered on its way.', 'Get one from this installation; all its processes need the same RIVULET_TOKEN_KEYS.');
    return;
  }
  const may = new Set(SCOPES.filter((one) => scope.split(' ').includes(one)));
  report(check, may, needed, `the token for ${subject}`, 'Use the token that was made for it: writeToken and readToken of the answer to POST /v1/streams are two different ones.');
}

function report(check: Check, may: ReadonlySet<Scope>, needed: readonly Scope[], what: string, remedy: string): void {
  const missing = needed.filter((scope) => !may.has(scope));
  if (missing.length > 0) check.found('SCOPE_MISSING', `With ${what} one may not ${missing.join(', ')}.`, remedy);
}

/** Read, not verified: the service does that. */
function claimsOf(token: string): Claims | null {
  const parts = token.split('.');
  if (parts.length !== 3) return null;
  try {
    return JSON.parse(Buffer.from(parts[1]!, 'base64url').toString()) as Claims;
  } catch {
    return null;
  }
}
