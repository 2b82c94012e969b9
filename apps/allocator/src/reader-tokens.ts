import { z } from 'zod';
import { StreamError } from '@rivulet/protocol';
import type { IssuedToken } from '@rivulet/protocol';
import type { Auth, Principal, Scope, StreamNos } from '@rivulet/service';
import { TOPIC_RETENTION_MS } from './config';

const TTL_MS_MIN = 1_000;
const TTL_MS_DEFAULT = 3_600_000;

const shape = z.strictObject({
  streamNo: z.string().optional(), channel: z.string().regex(/^[\w.~:@-]{1,128}$/).optional(),
  scope: z.enum(['read', 'cancel', 'read cancel']).optional(), ttlMs: z.number().int().min(TTL_MS_MIN).max(TOPIC_RETENTION_MS).optional(),
});

/** Signs tokens that an application gives to its own users: the key stays on its server, the browser gets no more than it needs. */
export class ReaderTokens {
  constructor(private readonly auth: Auth, private readonly streamNos: StreamNos, private readonly now: () => number) {}

  /**
   * A token grants what the key may do itself, and tokens sign no tokens.
   * @throws StreamError OPTIONS_INVALID, STREAM_NO_NOT_ISSUED [NO-2], FORBIDDEN
   */
  async issue(principal: Principal, body: unknown): Promise<IssuedToken> {
    const parsed = shape.safeParse(body ?? {});
    if (!parsed.success) throw invalid(parsed.error.issues[0]?.path.join('.') ?? '', RULES);
    const { streamNo, channel, scope = 'read', ttlMs = TTL_MS_DEFAULT } = parsed.data;
    if (!principal.role) throw new StreamError('FORBIDDEN', { detail: 'Only an API key signs tokens.' });
    for (const one of scope.split(' ') as Scope[]) this.auth.authorize(principal, { scope: one });
    const expiresAt = Math.ceil((this.now() + ttlMs) / 1_000) * 1_000;
    if (streamNo !== undefined && channel === undefined) {
      this.streamNos.verify(streamNo);
      return { token: await this.auth.mintStream(streamNo, scope, expiresAt), expiresAt };
    }
    if (streamNo !== undefined || channel === undefined) throw invalid('streamNo', 'one of streamNo and channel is needed, not both');
    // [WATCH-8] Who cancels must name the stream: a token that stops whatever a channel will ever hold is more than anyone needs.
    if (scope !== 'read') throw invalid('scope', 'a channel can only be read; cancel is for one stream');
    return { token: await this.auth.mintChannel(channel, expiresAt), expiresAt };
  }
}

const RULES = `the body is {streamNo or channel, scope?: "read" | "cancel" | "read cancel", ttlMs?: ${TTL_MS_MIN} to ${TOPIC_RETENTION_MS}}`;
const invalid = (option: string, rule: string): StreamError => new StreamError('OPTIONS_INVALID', { option, detail: `${option}: ${rule}.` });
