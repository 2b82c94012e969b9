import { createHash, timingSafeEqual } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { StreamError } from '@rivulet/protocol';
import type { OpenFacts } from '@rivulet/protocol';
import type { ApiKeyRow, Role } from './service-rows';

/** `inspect` reads the admin API, `admin` changes something there. */
export type Scope = 'open' | 'write' | 'read' | 'cancel' | 'inspect' | 'admin';

const ROLE_SCOPES: Record<Role, readonly Scope[]> = {
  producer: ['open', 'write', 'read', 'cancel'],
  operator: ['open', 'write', 'read', 'cancel', 'inspect', 'admin'],
  viewer: ['read', 'inspect'],
};

/** What a stream or channel token says. A stream token has `sub`; a channel token has `ch` and no `sub`. */
const claimsShape = z.object({
  sub: z.string().optional(),
  scope: z.string(),
  /** Expiry, seconds since the epoch. */
  exp: z.number(),
  /** Write tokens: epoch, contentType, merge, class, limits, leaseMs, retentionMs. What ingest needs while its table lags [APPEND-6]. */
  e: z.number().int().min(1).optional(),
  ct: z.string().optional(),
  m: z.enum(['text', 'bytes', 'json', 'latest']).optional(),
  cls: z.enum(['interactive', 'bulk']).optional(),
  lim: z.object({
    fragmentBytesMax: z.number().int().min(1),
    /** For the producer, who reads its token: how far ahead of what is acknowledged it may be [APPEND-2]. */
    heldFragmentsMax: z.number().int().min(1).optional(), heldBytesMax: z.number().int().min(1).optional(),
  }).optional(),
  lease: z.number().int().optional(),
  ret: z.number().int().optional(),
  /** Write tokens: id of the API key that opened the stream, for whose quotas appends count [APPEND-13]. */
  by: z.string().optional(),
  ch: z.string().optional(),
});
export type Claims = z.infer<typeof claimsShape>;

export interface Principal {
  /** Key id, or `token` for the bearer of a stream or channel token. */
  readonly id: string;
  readonly role?: Role;
  readonly claims?: Claims;
}

export interface Credentials {
  /** The header: `Bearer <API key or token>`. */
  authorization?: string | undefined;
  /** From the query: a read-scoped token only. */
  queryToken?: string | undefined;
}

export interface Wanted {
  scope: Scope;
  streamNo?: string;
  /** The channel asked for, or the one the stream is known to be in. */
  channel?: string;
}

interface AuthOptions {
  isOn: boolean;
  apiKeys: readonly ApiKeyRow[];
  /** The first signs, all verify. */
  tokenKeys: readonly Uint8Array[];
  tokenCacheMax: number;
  now?: () => number;
}

interface StreamFacts { streamNo: string; open: OpenFacts; openedAt: number }

const ANYONE: Principal = { id: 'anyone', role: 'operator' };
const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

/** API keys and stream tokens. Nothing here asks another process. */
export class Auth {
  private readonly keys: Map<string, { principal: Principal; hash: Buffer }>;
  /** Least recently used first. */
  private readonly verified = new Map<string, Principal>();
  /** Being verified now: thousands of readers of one stream come back with the same token, before the first of them is through. */
  private readonly verifying = new Map<string, Promise<Principal>>();
  private readonly now: () => number;

  constructor(private readonly options: AuthOptions) {
    this.now = options.now ?? Date.now;
    this.keys = new Map(options.apiKeys.map((key) => [
      key.id, { principal: Object.freeze({ id: key.id, role: key.role }), hash: Buffer.from(key.sha256Hex, 'hex') },
    ]));
  }

  /** @throws StreamError UNAUTHENTICATED, TOKEN_EXPIRED, STREAM_GONE (a write token past ttl + retention [APPEND-6]) */
  async authenticate(credentials: Credentials): Promise<Principal> {
    const { authorization, queryToken } = credentials;
    if (authorization !== undefined) {
      const bearer = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
      if (bearer === undefined) throw new StreamError('UNAUTHENTICATED', { detail: 'The Authorization header is not `Bearer <credential>`.' });
      return bearer.startsWith('rk_') ? this.byApiKey(bearer) : this.byToken(bearer);
    }
    if (queryToken !== undefined) return this.byQueryToken(queryToken);
    if (!this.options.isOn) return ANYONE;
    throw new StreamError('UNAUTHENTICATED');
  }

  /**
   * Roles may do what their row says on every stream; a token only what its scope and subject say.
   * @throws StreamError FORBIDDEN
   */
  authorize(principal: Principal, wanted: Wanted): void {
    if (principal.role) {
      if (ROLE_SCOPES[principal.role].includes(wanted.scope)) return;
      throw new StreamError('FORBIDDEN', { detail: `The role ${principal.role} lacks the scope ${wanted.scope}.` });
    }
    const { claims } = principal;
    if (!claims?.scope.split(' ').includes(wanted.scope)) {
      throw new StreamError('FORBIDDEN', { detail: `The token lacks the scope ${wanted.scope}.` });
    }
    const isOfStream = wanted.streamNo !== undefined && claims.sub === wanted.streamNo;
    // A stream token names its channel too, and must not open the whole channel: only one without a subject does.
    const isOfChannel = wanted.channel !== undefined && wanted.channel !== '' && claims.sub === undefined && claims.ch === wanted.channel;
    if (!isOfStream && !isOfChannel) throw new StreamError('FORBIDDEN', { detail: 'The token is for another stream or channel.' });
  }

  /** Lets its bearer append, end, abort, retry and cancel as that epoch until the stream's ttl is over. */
  mintWrite(facts: StreamFacts & { epoch: number }): Promise<string> {
    const { open, openedAt, streamNo, epoch } = facts;
    const { fragmentBytesMax, heldFragmentsMax, heldBytesMax } = open.limits;
    return this.sign({
      sub: streamNo, scope: 'write cancel', e: epoch, ct: open.contentType, m: open.merge, cls: open.class,
      lim: { fragmentBytesMax, heldFragmentsMax, heldBytesMax }, lease: open.leaseMs, ret: open.retentionMs,
      ...(open.openedBy === undefined ? {} : { by: open.openedBy }),
      ...(open.channel === '' ? {} : { ch: open.channel }), exp: seconds(openedAt + open.ttlMs),
    });
  }

  /** Lets its bearer watch one stream until its retention is over. */
  mintRead(facts: StreamFacts): Promise<string> {
    const { open, openedAt, streamNo } = facts;
    return this.sign({
      sub: streamNo, scope: 'read', ...(open.channel === '' ? {} : { ch: open.channel }),
      exp: seconds(openedAt + open.ttlMs + open.retentionMs),
    });
  }

  /** Lets its bearer do that with one stream. @param expiresAt ms since the epoch */
  mintStream(streamNo: string, scope: 'read' | 'cancel' | 'read cancel', expiresAt: number): Promise<string> {
    return this.sign({ sub: streamNo, scope, exp: seconds(expiresAt) });
  }

  /** Lets its bearer watch every stream of a channel. @param expiresAt ms since the epoch */
  mintChannel(channel: string, expiresAt: number): Promise<string> {
    return this.sign({ ch: channel, scope: 'read', exp: seconds(expiresAt) });
  }

  private byApiKey(key: string): Principal {
    // rk_<id>_<secret>; ids have no underscore.
    const known = this.keys.get(key.split('_', 2)[1] ?? '');
    if (!known || !timingSafeEqual(known.hash, sha256(key))) throw new StreamError('UNAUTHENTICATED', { detail: 'The API key is not known here.' });
    return known.principal;
  }

  private async byQueryToken(token: string): Promise<Principal> {
    if (token.startsWith('rk_')) throw new StreamError('UNAUTHENTICATED', { detail: 'API keys are taken in the Authorization header only.' });
    const principal = await this.byToken(token);
    // URLs end up in histories and logs of others, so nothing that writes may stand in one.
    if (principal.claims?.scope !== 'read') throw new StreamError('FORBIDDEN', { detail: 'Only a token with the scope read is taken in the query.' });
    return principal;
  }

  private async byToken(token: string): Promise<Principal> {
    const known = this.verified.get(token);
    if (known?.claims) {
      if (known.claims.exp * 1_000 <= this.now()) throw this.expired(known.claims);
      this.verified.delete(token);
      this.verified.set(token, known);
      return known;
    }
    let verifying = this.verifying.get(token);
    if (!verifying) {
      verifying = this.verifyOnce(token).finally(() => this.verifying.delete(token));
      this.verifying.set(token, verifying);
    }
    return verifying;
  }

  private async verifyOnce(token: string): Promise<Principal> {
    const principal: Principal = Object.freeze({ id: 'token', claims: await this.verify(token) });
    // Only what verified is kept, so garbage cannot push good tokens out.
    if (this.verified.size >= this.options.tokenCacheMax) this.verified.delete(this.verified.keys().next().value as string);
    this.verified.set(token, principal);
    return principal;
  }

  private async verify(token: string): Promise<Claims> {
    for (const key of this.options.tokenKeys) {
      try {
        const { payload } = await jwtVerify(token, key, { algorithms: ['HS256'], currentDate: new Date(this.now()), requiredClaims: ['exp', 'scope'] });
        return parsedClaims(payload);
      } catch (error) {
        if (error instanceof errors.JWTExpired) throw this.expired(parsedClaims(error.payload));
        if (error instanceof errors.JWSSignatureVerificationFailed) continue; // the other key, during a rotation
        if (error instanceof errors.JOSEError) break;
        throw error;
      }
    }
    throw new StreamError('UNAUTHENTICATED', { detail: 'The token was not signed by this installation, or is damaged.' });
  }

  private expired(claims: Claims): StreamError {
    const goneAt = claims.exp * 1_000 + (claims.ret ?? 0);
    return claims.ret !== undefined && goneAt <= this.now()
      ? new StreamError('STREAM_GONE', { streamNo: claims.sub })
      : new StreamError('TOKEN_EXPIRED', { expiredAt: claims.exp * 1_000 });
  }

  private sign(claims: Claims): Promise<string> {
    const [key] = this.options.tokenKeys;
    if (!key) throw new Error('no token key');
    // No issue time: the same claims give the same token, so a repeated idempotent open answers the same [APPEND-11].
    return new SignJWT(claims).setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).sign(key);
  }
}

const seconds = (ms: number): number => Math.ceil(ms / 1_000);

function parsedClaims(payload: unknown): Claims {
  const parsed = claimsShape.safeParse(payload);
  if (!parsed.success) throw new StreamError('UNAUTHENTICATED', { detail: 'The claims of the token are not those of a stream or channel token.' });
  return parsed.data;
}
