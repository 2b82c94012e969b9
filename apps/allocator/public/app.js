import { Problem, Writer, call, wait } from './client.js';
import { Pane } from './pane.js';
import { SAMPLES } from './samples.js';

const $ = (id) => document.getElementById(id);
const KEY_NAME = 'rivulet.key';
const RECENT_MS = 3000;
const RECENT_MAX = 12;
/** A long text is cut into larger pieces, so that the whole takes about this long. */
const ANSWER_MS_MAX = 40_000;

let key = '';
/** What this page writes: { writer, streamNo, isLive, sent } or null. */
let current = null;

const onProblem = (error) => showProblem(error);
const panes = [
  new Pane($('pane-live'), { title: 'Live reader', isLate: false, onProblem }),
  new Pane($('pane-late'), { title: 'Late reader', isLate: true, onProblem }),
];

// ---- key ----

function readFragment() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const given = fragment.get('key');
  // The key must not stay in the address bar or the history.
  if (given) history.replaceState(null, '', location.pathname);
  useKey(given ?? sessionStorage.getItem(KEY_NAME) ?? '');
  const streamNo = fragment.get('stream');
  if (streamNo) watchStream(streamNo);
}

function useKey(value) {
  key = value.trim();
  $('key').value = key;
  sessionStorage.setItem(KEY_NAME, key);
  $('key-state').textContent = key === '' ? 'Paste the key that npm start printed.' : 'Kept in this tab only.';
  showCommands(current?.streamNo ?? '');
  void refreshRecent();
}

// ---- problems ----

function showProblem(error) {
  if (error.name === 'AbortError') return;
  $('problem-code').textContent = error.code ?? 'Fault of this page';
  $('problem-text').textContent = error.message;
  $('problem').hidden = false;
  if (error.code === 'UNAUTHENTICATED') $('key').focus();
}

/** Runs what a button asks for; whatever goes wrong is shown with its remedy. */
const act = (job) => async (event) => {
  event?.preventDefault();
  $('problem').hidden = true;
  try {
    await job(event);
  } catch (error) {
    showProblem(error);
  }
};

// ---- producing ----

async function openStream(isLive) {
  const options = { channel: $('channel').value.trim() || undefined, contentType: $('content-type').value, class: $('class').value };
  const opened = await (await call(key, 'POST', '/v1/streams', { body: JSON.stringify(options) })).json();
  const writer = new Writer(opened, (error) => stopWriting(error));
  current = { writer, streamNo: opened.streamNo, isLive, sent: '' };
  watchStream(opened.streamNo);
  refreshButtons();
  void refreshRecent();
}

function stopWriting(error) {
  const isCancelled = error?.code === 'STREAM_FINAL';
  setProduceState(isCancelled ? 'The stream is final: this producer was told and stopped.' : '');
  if (error && !isCancelled) showProblem(error);
  current?.writer.close();
  current = null;
  $('text').readOnly = false;
  refreshButtons();
}

/** Cuts a text as a model would: a few words a tick. */
function piecesOf(text, intervalMs) {
  const words = Intl.Segmenter ? [...new Intl.Segmenter(undefined, { granularity: 'word' }).segment(text)].map(({ segment }) => segment) : [...text];
  const perPiece = Math.max(3, Math.ceil((words.length * intervalMs) / ANSWER_MS_MAX));
  const pieces = [];
  for (let at = 0; at < words.length; at += perPiece) pieces.push(words.slice(at, at + perPiece).join(''));
  return pieces;
}

async function sendAnswer() {
  const text = $('text').value;
  if (text === '') throw new Problem({ code: 'Nothing to send', detail: 'Type or paste a text, or take one of the samples.' });
  await openStream(false);
  const mine = current;
  $('text').readOnly = true;
  const pieces = piecesOf(text, paceMs());
  for (const [index, piece] of pieces.entries()) {
    if (current !== mine) return;
    mine.writer.write(piece);
    setProduceState(`Sent ${index + 1} of ${pieces.length} pieces`);
    await wait(paceMs());
  }
  if (current === mine) await endStream();
}

async function startLive() {
  await openStream(true);
  current.sent = $('text').value;
  if (current.sent !== '') current.writer.write(current.sent);
  setProduceState('Live: what you type is sent. What is sent cannot be changed, only continued.');
  $('text').focus();
}

function typed() {
  if (!current?.isLive) return;
  const { value } = $('text');
  if (!value.startsWith(current.sent)) {
    $('text').value = current.sent;
    return;
  }
  clearTimeout(current.timer);
  current.timer = setTimeout(sendTyped, paceMs());
}

function sendTyped() {
  if (!current?.isLive) return;
  let added = $('text').value.slice(current.sent.length);
  // Half of a surrogate pair waits for its other half.
  if (/[\ud800-\udbff]$/.test(added)) added = added.slice(0, -1);
  if (added === '') return;
  current.sent += added;
  current.writer.write(added);
}

async function endStream() {
  const mine = current;
  sendTyped();
  const verdict = await mine.writer.end();
  if (current === mine) stopWriting();
  setProduceState(`${verdict.status}: ${verdict.sequence} fragments, ${verdict.bytes} bytes, durable.`);
  void refreshRecent();
}

async function cancelStream() {
  await call(key, 'POST', `/v1/streams/${current.streamNo}/cancel`, { body: JSON.stringify({ reason: 'asked for on the page' }) });
  stopWriting();
  setProduceState('Cancelled. Every reader is told.');
  void refreshRecent();
}

const paceMs = () => Number($('pace').value);
const setProduceState = (text) => { $('produce-state').textContent = text; };

function refreshButtons() {
  $('send').disabled = current !== null;
  $('live').disabled = current !== null;
  $('live').setAttribute('aria-pressed', String(current?.isLive ?? false));
  $('end').disabled = !current?.isLive;
  $('cancel').disabled = current === null;
}

// ---- watching ----

function watchStream(streamNo) {
  $('stream-no').value = streamNo;
  for (const pane of panes) pane.show(key, streamNo);
  showCommands(streamNo);
}

function showCommands(streamNo) {
  const header = `-H 'Authorization: Bearer ${key || '$RIVULET_KEY'}'`;
  $('curl-watch').textContent = `curl -N ${header} '${location.origin}/v1/watch/${streamNo || '<streamNo>'}/content?live'`;
  $('curl-pipe').textContent = `date | curl -N -T - ${header} '${location.origin}/v1/pipe'`;
}

// ---- recent streams ----

async function refreshRecent() {
  if (key === '') return;
  try {
    const { streams } = await (await call(key, 'GET', `/v1/admin/streams?limit=${RECENT_MAX}`)).json();
    showRecent(streams);
    $('recent-empty').hidden = streams.length > 0;
    $('recent-state').textContent = '';
  } catch (error) {
    $('recent-state').textContent = `${error.code ?? ''} ${error.message}`;
  }
}

let shownRecent = '';
/** Redrawn only when something changed, and without taking the focus from who is on a row. */
function showRecent(streams) {
  const shown = JSON.stringify(streams);
  if (shown === shownRecent) return;
  shownRecent = shown;
  const focused = document.activeElement?.closest('#recent button')?.textContent;
  $('recent').replaceChildren(...streams.map(rowOf));
  for (const link of $('recent').querySelectorAll('button')) if (link.textContent === focused) link.focus();
}

function rowOf(stream) {
  const row = document.createElement('tr');
  const link = document.createElement('button');
  Object.assign(link, { type: 'button', className: 'link', textContent: stream.streamNo });
  link.setAttribute('aria-label', `Watch ${stream.streamNo}`);
  link.addEventListener('click', act(() => watchStream(stream.streamNo)));
  const status = document.createElement('span');
  Object.assign(status, { className: `pill ${stream.status}`, textContent: stream.status });
  // The list follows what owners publish, which is seldom while a stream grows: a count from then would look like a fault.
  const isGrowing = stream.status === 'open' || stream.status === 'lost';
  const [sequence, bytes] = isGrowing ? ['…', '…'] : [stream.sequence, stream.bytes];
  const cells = [link, status, stream.channel || '–', sequence, bytes, new Date(stream.openedAt).toLocaleTimeString()];
  for (const [index, cell] of cells.entries()) {
    const td = document.createElement('td');
    if (index === 3 || index === 4) td.className = 'number';
    td.append(cell);
    row.append(td);
  }
  return row;
}

// ---- wiring ----

$('key-form').addEventListener('submit', act(() => useKey($('key').value)));
$('problem-close').addEventListener('click', () => { $('problem').hidden = true; });
$('pace').addEventListener('input', () => { $('pace-value').textContent = `${paceMs()} ms`; });
$('text').addEventListener('input', typed);
$('send').addEventListener('click', act(sendAnswer));
$('live').addEventListener('click', act(startLive));
$('end').addEventListener('click', act(endStream));
$('cancel').addEventListener('click', act(cancelStream));
$('watch-form').addEventListener('submit', act(() => watchStream($('stream-no').value.trim())));
for (const button of document.querySelectorAll('[data-sample]')) {
  button.addEventListener('click', () => {
    if (current === null) $('text').value = SAMPLES[button.dataset.sample];
  });
}
for (const button of document.querySelectorAll('[data-copy]')) {
  button.addEventListener('click', act(() => navigator.clipboard.writeText($(button.dataset.copy).textContent)));
}
window.addEventListener('hashchange', readFragment);
setInterval(() => { if (!document.hidden) void refreshRecent(); }, RECENT_MS);
readFragment();
