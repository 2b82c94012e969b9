import { StreamError } from '@rivulet/protocol';
import type { PluginHttpRequest } from '@rivulet/plugin-sdk';
import { z } from 'zod';
import type { PluginHost } from './plugin-host';

const answerShape = z.object({
  status: z.number().int().min(200).max(599).default(200),
  headers: z.record(z.string().max(8_192)).default({}),
  body: z.unknown(),
});
const ROUTE_MS_MAX = 30_000;
const BODY_BYTES_MAX = 2 * 1024 * 1024;
/** What a plugin may say of its answer; nothing that speaks for the origin, such as cookies and policies. */
const HEADERS_ALLOWED = new Set(['content-type', 'cache-control', 'etag', 'location', 'retry-after', 'content-disposition', 'content-language']);

/** @throws StreamError PLUGIN_NOT_FOUND, NOT_FOUND (it has no routes), PLUGIN_NOT_RUNNING, PLUGIN_FAILED */
export async function callRoute(
  plugin: PluginHost | undefined, name: string, request: PluginHttpRequest,
): Promise<{ status: number; headers: Record<string, string>; body: string | Uint8Array }> {
  if (!plugin) throw new StreamError('PLUGIN_NOT_FOUND', { plugin: name });
  if (plugin.facts && !plugin.hooks.includes('route')) throw new StreamError('NOT_FOUND', { detail: `${name} has no hook route.` });
  if (!plugin.running) throw new StreamError('PLUGIN_NOT_RUNNING', { plugin: name, state: plugin.state, retryAfterMs: 1_000 });
  try {
    const { status, headers, body } = answerShape.parse(await plugin.running.hook('route', request, ROUTE_MS_MAX));
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    const content = isRaw ? body : JSON.stringify(body ?? null);
    if (content.length > BODY_BYTES_MAX) throw new Error(`the answer is larger than ${BODY_BYTES_MAX} bytes`);
    const lowered = Object.entries(headers).map(([key, value]) => [key.toLowerCase(), value] as const);
    const allowed = lowered.filter(([key]) => HEADERS_ALLOWED.has(key));
    // A page of a plugin would run with the rights of our origin: what it sends as HTML is shown as text.
    const type = isRaw ? 'text/plain; charset=utf-8' : 'application/json';
    const given = Object.fromEntries(allowed);
    const safe = /html|xml|svg|javascript/i.test(given['content-type'] ?? '') ? { ...given, 'content-type': 'text/plain; charset=utf-8' } : given;
    return { status, headers: { 'content-type': type, ...safe }, body: content };
  } catch (cause) {
    throw new StreamError('PLUGIN_FAILED', { plugin: name, pluginCode: (cause as { code?: string }).code, detail: plugin.log.redact((cause as Error).message).slice(0, 300) }, { cause });
  }
}
