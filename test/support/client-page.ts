import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { build } from 'esbuild';

const HTML = '<!doctype html><meta charset="utf-8"><title>reader</title><pre></pre><script type="module" src="/page.js"></script>';

/** What the page is told by the fragment of its address. */
export interface PageOrder { url: string; token: string; streamNo: string; transport?: 'sse' | 'ws'; intervalMs?: number; streamsMax?: number }
/** What a test sees of the page. */
export interface PageState { text: string; fragments: [from: number, to: number][]; types: string[]; done: string }

/** A page as a user would write it, of the published build: shows a stream with a cache. */
const PAGE = `
  import { rivulet } from '@rivulet/client';
  import { streamCache } from '@rivulet/client/cache';
  const { url, token, streamNo, streamsMax, ...options } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
  const client = rivulet({ url, token });
  const cache = streamCache({ streamsMax });
  const state = (window.state = { text: '', fragments: [], types: [], done: '' });
  Object.assign(window, { client, cache });
  try {
    for await (const event of client.watch(streamNo, { cache, ...options })) {
      state.types.push(event.type);
      if (event.type === 'rewind') Object.assign(state, { text: '', fragments: [] });
      if (event.type === 'fragment') {
        state.text += event.text;
        state.fragments.push([event.from, event.to]);
      }
      document.querySelector('pre').textContent = state.text;
    }
    state.done = 'final';
  } catch (error) {
    state.done = error.code ?? String(error);
  }`;

/** Serves the page and its bundle, made by a bundler from dist as a user's would be. Needs `npm run build`. */
export async function servePage(): Promise<{ url: string; stop: () => void }> {
  const { outputFiles } = await build({
    stdin: { contents: PAGE, resolveDir: path.resolve(__dirname, '..', '..') }, outdir: '/', entryNames: 'page', bundle: true, splitting: true,
    format: 'esm', platform: 'browser', write: false,
  });
  const files = new Map(outputFiles.map((file) => [file.path, file.text]));
  const server = createServer((request, response) => {
    const script = files.get(request.url ?? '');
    response.setHeader('content-type', script === undefined ? 'text/html' : 'text/javascript').end(script ?? HTML);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
