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
    line.append(element('th', host), ...plugins.map((plugin) => cell(rows.find((row) => row.host === host && row.plugin === plugin))));
    return line;
  });
  $('matrix').replaceChildren(head, ...body);
}

function cell(row) {
  if (!row) return element('td', '–', 'hint');
  const shown = element('td', '', row.fault ? 'bad' : ON_THE_WAY.includes(row.state) ? 'hint' : 'good');
  shown.dataset.state = row.state;
  shown.append(element('strong', row.state), element('span', row.version && ` ${row.version}`, 'hint'));
  if (row.restarts > 0) shown.append(element('div', `restarted ${row.restarts} ×`, 'hint'));
  if (row.note) shown.append(element('div', row.note, 'hint'));
  return shown;
}

function showFaults(rows) {
  const wrong = rows.filter(({ fault }) => fault);
  $('all-well').hidden = wrong.length > 0;
  $('faults').replaceChildren(...wrong.map((row) => {
    const shown = element('li');
    shown.append(element('strong', row.fault.code), element('span', ` ${row.plugin} on ${row.host}`), element('p', row.fault.remedy, 'remedy'), element('pre', row.fault.detail, 'detail'));
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
    $('problem').hidden = true;
    $('asked').textContent = `as of ${new Date().toLocaleTimeString()}`;
  } catch (error) {
    $('problem-code').textContent = error.code ?? 'Fault of this page';
    $('problem-text').textContent = error.code === 'NOT_FOUND' ? 'No plugin host runs behind this address.' : error.message;
    $('problem').hidden = false;
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
