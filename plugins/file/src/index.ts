import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { definePlugin } from '@rivulet/plugin-sdk';
import type { PluginRequest, PluginStream } from '@rivulet/plugin-sdk';
import { z } from 'zod';

const config = z.object({
  /** Files below these folders may be read; none unless named. */
  folders: z.array(z.string().startsWith('/')).default([]),
  /** URLs that begin with one of these may be fetched; none unless named. */
  urls: z.array(z.string().url()).default([]),
  bytesMax: z.number().int().min(1).default(1_073_741_824),
  idleMsMax: z.number().int().min(100).default(30_000),
});
const input = z.union([z.object({ path: z.string().min(1) }).strict(), z.object({ url: z.string().url() }).strict()]);
type Config = z.output<typeof config>;

const CHUNK_BYTES = 65_536;

/** @throws what no second attempt changes */
const refused = (code: string, message: string): Error => Object.assign(new Error(message), { code, isFinal: true });

/** A file, or what a URL gives, as a bulk stream. An attempt that was lost goes on at the byte it was at. */
export default definePlugin({
  name: 'file', version: '0.1.0', api: 1, config,
  stream: { contentType: 'application/octet-stream', class: 'bulk' }, pace: { intervalMs: 0 },
  limits: { concurrency: 8, timeoutMs: 3_600_000 }, onFailure: { attempts: 5, keep: 'all' },
  hooks: {
    async receive(ctx, request, stream) {
      const wanted = input.safeParse(request.input);
      if (!wanted.success) throw refused('INPUT_INVALID', 'input must be {path} or {url}.');
      if ('path' in wanted.data) return sendFile(ctx.config, wanted.data.path, request, stream);
      return sendUrl(ctx.config, wanted.data.url, request, stream);
    },
  },
});

type Facts = Record<string, unknown>;

async function sendFile({ folders, bytesMax }: Config, wanted: string, request: PluginRequest, stream: PluginStream): Promise<Facts> {
  // Links are followed first: one that leads out of the folder is outside.
  const file = await realpath(path.resolve(wanted)).catch((error: Error) => { throw refused('FILE_NOT_FOUND', error.message); });
  const allowed = await Promise.all(folders.map((folder) => realpath(folder).catch(() => null)));
  if (!allowed.some((folder) => folder !== null && file.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep))) {
    throw refused('FILE_NOT_ALLOWED', `${wanted} is in none of the folders of the configuration.`);
  }
  const { size } = await stat(file);
  if (size > bytesMax) throw refused('FILE_TOO_LARGE', `${wanted} has ${size} bytes, allowed are ${bytesMax}.`);
  const { bytes: start } = request.written;
  const content = createReadStream(file, { start, highWaterMark: CHUNK_BYTES, signal: stream.signal });
  return { name: path.basename(file), bytes: await pump(content, start, size, stream) };
}

async function sendUrl(config: Config, wanted: string, request: PluginRequest, stream: PluginStream): Promise<Facts> {
  const { urls, idleMsMax } = config;
  const url = new URL(wanted);
  const isAllowed = urls.some((one) => {
    const allowed = new URL(one);
    const folder = allowed.pathname.endsWith('/') ? allowed.pathname : `${allowed.pathname}/`;
    return url.origin === allowed.origin && (url.pathname === allowed.pathname || url.pathname.startsWith(folder));
  });
  if (!isAllowed) throw refused('URL_NOT_ALLOWED', `${url.origin}${url.pathname} begins with none of the URLs of the configuration.`);
  const idle = new AbortController();
  const timer = setTimeout(() => idle.abort(Object.assign(new Error(`Nothing came for ${idleMsMax} ms.`), { code: 'URL_FAILED' })), idleMsMax);
  try {
    const signal = AbortSignal.any([stream.signal, idle.signal]);
    return await fetchTo(url, config, request.written.bytes, stream, signal, () => timer.refresh());
  } finally {
    clearTimeout(timer);
  }
}

async function fetchTo(
  url: URL, { bytesMax }: Config, start: number, stream: PluginStream, signal: AbortSignal, onChunk: () => void,
): Promise<Facts> {
  // No redirects: where they lead was not allowed by anybody.
  const response = await fetch(url, {
    redirect: 'error', signal, headers: start > 0 ? { range: `bytes=${start}-` } : {},
  });
  if (!response.ok || !response.body) {
    const error = Object.assign(new Error(`${url.origin} answered ${response.status}.`), { code: 'URL_FAILED' });
    throw response.status < 500 && response.status !== 429 ? Object.assign(error, { isFinal: true }) : error;
  }
  const isRest = response.status === 206;
  const length = Number(response.headers.get('content-length') ?? 0);
  const total = length + (isRest ? start : 0);
  if (total > bytesMax) throw refused('FILE_TOO_LARGE', `${url.pathname} has ${total} bytes, allowed are ${bytesMax}.`);
  const content = response.body as unknown as AsyncIterable<Uint8Array>;
  const bytes = await pump(content, start, total, stream, { skip: isRest ? 0 : start, bytesMax, onChunk });
  return { url: `${url.origin}${url.pathname}`, bytes };
}

interface PumpOptions { skip?: number; bytesMax?: number; onChunk?: () => void }

/** @returns bytes of the whole, those of earlier attempts included */
async function pump(
  content: AsyncIterable<Uint8Array>, start: number, total: number, stream: PluginStream, options: PumpOptions = {},
): Promise<number> {
  const { skip = 0, bytesMax = Infinity, onChunk } = options;
  let toSkip = skip;
  let done = start;
  for await (const chunk of content) {
    onChunk?.();
    const part = chunk.subarray(Math.min(toSkip, chunk.length));
    toSkip -= chunk.length - part.length;
    done += part.length;
    if (done > bytesMax) throw refused('FILE_TOO_LARGE', `More than ${bytesMax} bytes came.`);
    for (let at = 0; at < part.length; at += CHUNK_BYTES) await stream.write(part.subarray(at, at + CHUNK_BYTES));
    stream.progress({ done, ...(total > 0 ? { total } : {}) });
  }
  if (total > 0 && done < total) throw Object.assign(new Error(`Only ${done} of ${total} bytes came.`), { code: 'URL_FAILED' });
  return done;
}
