import { call } from './client.js';

const $ = (id) => document.getElementById(id);
const KEY_NAME = 'rivulet.key';
const POLL_MS = 1500;
/** Still on its way, not wrong. */
const ON_THE_WAY = ['fetching', 'verifying', 'starting', 'disabled'];

let key = '';
let timer = null;

/** Everything that comes from a plugin is text, never markup. */
function element(name, text = '', className = '') {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function showMatrix(rows) {
  const hosts = [...new Set(rows.map(({ host }) => host))];
  const plugins = [...new Set(rows.map(({ plugin }) => plugin))];
  const head = element('tr');
  head.append(element('th', 'host'), ...plugins.map((plugin) => element('th', plugin)));
  const body = hosts.map((host) => {
    const line = element('tr');
    const name = element('th', host);
    name.append(element('div', `reported ${ago(rows.find((row) => row.host === host).heardAt)}`, 'hint'));
    line.append(name, ...plugins.map((plugin) => cell(rows.find((row) => row.host === host && row.plugin === plugin))));
    return line;
  });
  $('matrix').replaceChildren(head, ...body);
}

const ago = (at) => {
  const seconds = Math.max(0, Math.round((Date.now() - at) / 1000));
  return seconds < 120 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`;
};

function button(text, act) {
  const made = element('button', text, 'link');
  made.type = 'button';
  made.addEventListener('click', () => void act(made));
  return made;
}

/** Without a secure origin there is no clipboard: then what is to be copied is selected. */
async function copy(from, text) {
  try {
    await navigator.clipboard.writeText(text);
    $('copied').textContent = `Copied: ${text}`;
  } catch {
    getSelection().selectAllChildren(from);
  }
}

/** Each host has the log of its own process only, and the proxy takes turns: asked until it is the host's, or all others have answered. */
async function showLog({ plugin, host }) {
  const hosts = new Set();
  for (;;) {
    const log = await (await call(key, 'GET', `/v1/admin/plugins/${encodeURIComponent(plugin)}/logs`)).json();
    const isWanted = log.host === host;
    $('log-title').textContent = isWanted ? `Log of ${plugin} on ${host}` : `Log of ${plugin} on ${log.host}; ${host} could not be asked`;
    $('log').textContent = log.lines.map(({ at, line }) => `${new Date(at).toISOString()} ${line}`).join('\n') || 'It has said nothing.';
    if (isWanted || hosts.has(log.host)) break;
    hosts.add(log.host);
  }
  $('log-card').hidden = false;
  $('log-card').scrollIntoView({ block: 'nearest' });
}
const logButton = (row) => button('log', () => showLog(row).catch(problem));

function cell(row) {
  if (!row) return element('td', '–', 'hint');
  const shown = element('td', '', row.fault ? 'bad' : ON_THE_WAY.includes(row.state) ? 'hint' : 'good');
  shown.dataset.state = row.state;
  shown.append(element('strong', row.state), element('span', row.version && ` ${row.version}`, 'hint'));
  // What ships with the host has none of its own.
  if (/[^0]/.test(row.digest)) shown.append(element('span', ` ${row.digest.slice(0, 8)}`, 'hint'));
  shown.lastChild.title = row.digest;
  if (row.restarts > 0) shown.append(element('div', `restarted ${row.restarts} ×`, 'hint'));
  if (row.note) shown.append(element('div', row.note, 'hint'));
  if (row.version) shown.append(' ', logButton(row));
  return shown;
}

function showFaults(rows) {
  const wrong = rows.filter(({ fault }) => fault);
  $('all-well').hidden = wrong.length > 0;
  // A host that is silent is one thing to do, not one for each of its plugins.
  const alike = new Map();
  for (const row of wrong) {
    const fault = JSON.stringify([row.host, row.fault]);
    alike.set(fault, [...(alike.get(fault) ?? []), row]);
  }
  $('faults').replaceChildren(...[...alike.values()].map(([row, ...others]) => {
    const shown = element('li');
    const remedy = element('p', row.fault.remedy, 'remedy');
    remedy.append(' ', button('copy', () => copy(remedy, row.fault.remedy.replace(/^Run: /, ''))));
    shown.append(element('strong', row.fault.code), element('span', ` ${[row, ...others].map(({ plugin, version }) => `${plugin} ${version}`).join(', ')} on ${row.host}, said ${ago(row.at)} `), remedy, element('pre', row.fault.detail, 'detail'));
    return shown;
  }));
}

function problem(error) {
  $('problem-code').textContent = error.code ?? 'Fault of this page';
  $('problem-text').textContent = error.code === 'NOT_FOUND' ? 'No plugin host runs behind this address.' : error.message;
  $('problem').hidden = false;
}

/** How far a plugin says it is: a bar when it knows the whole, else the number. */
function progressOf({ done, total, note }) {
  const shown = element('span', '', 'hint');
  if (done !== undefined && total > 0) {
    const bar = element('progress');
    bar.max = total;
    bar.value = done;
    shown.append(' ', bar);
  }
  shown.append(done === undefined ? '' : ` ${done}${total > 0 ? ` of ${total}` : ''}`, note ? ` ${note}` : '');
  return shown;
}

async function showAnswers(rows) {
  const names = [...new Set(rows.map(({ plugin }) => plugin))].filter((name) => /^[a-z0-9-]+$/.test(name));
  const answers = (await Promise.all(names.map(async (name) => (await call(key, 'GET', `/v1/admin/plugins/${name}/answers`)).json()))).flat();
  $('no-answers').hidden = answers.length > 0;
  $('answers').replaceChildren(...answers.map((answer) => {
    const shown = element('li');
    const since = Math.max(0, Math.round((answer.at - answer.startedAt) / 1000));
    shown.append(element('strong', answer.plugin), element('span', ` ${answer.state} for ${since} s on ${answer.host}`), progressOf(answer), element('div', answer.streamNo, 'hint'));
    return shown;
  }));
}

async function refresh() {
  clearTimeout(timer);
  if (key === '') return;
  try {
    const rows = await (await call(key, 'GET', '/v1/admin/plugins')).json();
    showMatrix(rows);
    showFaults(rows);
    await showAnswers(rows);
    $('problem').hidden = true;
    $('asked').textContent = `as of ${new Date().toLocaleTimeString()}`;
  } catch (error) {
    problem(error);
  }
  timer = setTimeout(() => void refresh(), POLL_MS);
}

function useKey(value) {
  key = value.trim();
  $('key').value = key;
  sessionStorage.setItem(KEY_NAME, key);
  $('key-state').textContent = key === '' ? 'Paste the key that npm start printed.' : 'Kept in this tab only.';
  void refresh();
}

$('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  useKey($('key').value);
});
const given = new URLSearchParams(location.hash.slice(1)).get('key');
// The key must not stay in the address bar or the history.
if (given) history.replaceState(null, '', location.pathname);
useKey(given ?? sessionStorage.getItem(KEY_NAME) ?? '');
