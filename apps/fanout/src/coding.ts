import type { IncomingMessage, ServerResponse } from 'node:http';

/** What compresses well. Other types are compressed already, or nobody knows. */
const COMPRESSIBLE = /^(text\/|application\/([\w.-]+\+)?(json|xml|yaml)\b|application\/(x-ndjson|javascript|sql)\b|image\/svg\+xml)/i;

export const isCompressible = (contentType: string): boolean => COMPRESSIBLE.test(contentType);

/** RFC 9110 12.5.3: gzip by its name, or by `*` when it is not named. No header: a client that says nothing is given no coding. */
export function acceptsGzip({ headers, httpVersion }: IncomingMessage): boolean {
  // Its bodies end with the connection, which would hide that one is cut off.
  if (httpVersion === '1.0') return false;
  const weights = new Map<string, number>();
  for (const part of String(headers['accept-encoding'] ?? '').toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    weights.set(name.replace(/^x-gzip$/, 'gzip'), weight === undefined ? 1 : Number(weight.slice(2)));
  }
  return (weights.get('gzip') ?? weights.get('*') ?? 0) > 0;
}

/** Beside `Vary: Origin`, which CORS may have set. */
export function varyByCoding(response: ServerResponse): void {
  response.appendHeader('Vary', 'Accept-Encoding');
}
