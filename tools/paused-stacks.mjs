// Where a Node process is that never waits: its inspector stops it between two statements. For a loop that starves everything else.
import { setTimeout as elapse } from 'node:timers/promises';
import WebSocket from 'ws';

const INSPECTOR = 'http://127.0.0.1:9229/json/list';
const ANSWER_MS_MAX = 10_000;
const START_MS = 1_500;
/** Stops, some ms apart: a loop is in a different place each time. */
const STOPS = 5;
const BETWEEN_MS = 20;

const frameText = (urls, { functionName, url, scriptId, lineNumber, location }) =>
  `  ${functionName || '(anonymous)'} ${urls.get(location?.scriptId ?? scriptId) ?? url}:${(location?.lineNumber ?? lineNumber) + 1}`;

/** @returns {Promise<string>} some stacks of the process; empty when no JavaScript runs in it, or it cannot be stopped */
export async function pausedStacks(pid) {
  try {
    process.kill(pid, 'SIGUSR1'); // it opens its inspector
    await elapse(START_MS);
    const [{ webSocketDebuggerUrl }] = await (await fetch(INSPECTOR, { signal: AbortSignal.timeout(ANSWER_MS_MAX) })).json();
    return await stacksOver(new WebSocket(webSocketDebuggerUrl));
  } catch (error) {
    console.log(`no stack of ${pid}: ${error.message}`);
    return '';
  }
}

async function stacksOver(socket) {
  const urls = new Map();
  const stacks = [];
  let id = 0;
  const call = (method, params = {}) => socket.send(JSON.stringify({ id: ++id, method, params }));
  const done = new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('open', () => {
      call('Debugger.enable');
      call('Debugger.setAsyncCallStackDepth', { maxDepth: 8 });
      call('Debugger.pause');
    });
    socket.on('message', (text) => {
      const { method, params } = JSON.parse(text);
      if (method === 'Debugger.scriptParsed') urls.set(params.scriptId, params.url);
      if (method !== 'Debugger.paused') return;
      const lines = params.callFrames.map((frame) => frameText(urls, frame));
      for (let parent = params.asyncStackTrace; parent; parent = parent.parent) {
        lines.push('  awaited by', ...parent.callFrames.map((frame) => frameText(urls, frame)));
      }
      stacks.push(lines.join('\n'));
      if (stacks.length === STOPS) return resolve();
      call('Debugger.resume');
      setTimeout(() => call('Debugger.pause'), BETWEEN_MS);
    });
  });
  await Promise.race([done, elapse(ANSWER_MS_MAX, null, { ref: false })]);
  socket.terminate();
  return stacks.join('\n\n').trim();
}
