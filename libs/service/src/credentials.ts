import type { FastifyRequest } from 'fastify';
import type { Credentials } from './auth';

/** Where a request carries its credential: the Authorization header, or `?token=` (read tokens only; the header wins). */
export function credentialsOf(request: Pick<FastifyRequest, 'headers' | 'query'>): Credentials {
  const { token } = (request.query ?? {}) as { token?: unknown };
  return { authorization: request.headers.authorization, queryToken: typeof token === 'string' ? token : undefined };
}
