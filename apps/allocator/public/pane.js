import { byteLength, crc32, watch } from './client.js';

const LATE_MS = 3000;
const hex = (checksum) => checksum.toString(16).padStart(8, '0');

/** One reader of one stream: what it got, where it is, and buttons to make its life hard. */
export class Pane {
  constructor(root, { title, isLate, onProblem }) {
    root.append(document.getElementById('pane-template').content.cloneNode(true));
    this.part = (name) => root.querySelector(`[data-part=${name}]`);
    this.part('title').textContent = title;
    this.part('late-label').hidden = !isLate;
    this.isLate = isLate;
    this.onProblem = onProblem;
    this.part('pause').addEventListener('click', () => this.setPaused(!this.isPaused));
    this.part('connect').addEventListener('click', () => (this.connection ? this.disconnect() : this.connect()));
    this.part('again').addEventListener('click', () => this.show(this.key, this.streamNo, true));
  }

  /** Watches from the start; a late pane first waits, unless told not to. */
  show(key, streamNo, isAtOnce = false) {
    this.connection?.abort();
    clearTimeout(this.lateTimer);
    Object.assign(this, { key, streamNo, connection: null, cursor: '', isFinal: false, connections: 0, events: 0, sizeBytes: 0 });
    this.reset();
    this.setPaused(false);
    this.setFinal('');
    this.put({ attempt: '–', events: 0, connections: 0 });
    this.showProgress();
    this.part('again').disabled = false;
    const isWaiting = this.isLate && !isAtOnce && this.part('late').checked;
    if (!isWaiting) return void this.connect();
    this.setStatus('joins in 3 s');
    this.refresh();
    this.lateTimer = setTimeout(() => this.connect(), LATE_MS);
  }

  async connect() {
    clearTimeout(this.lateTimer);
    const connection = new AbortController();
    this.connection = connection;
    this.refresh();
    const onConnection = (state) => this.onConnection(state);
    const gate = () => this.resumed;
    try {
      for await (const event of watch(this.key, this.streamNo, { cursor: this.cursor, signal: connection.signal, onConnection, gate })) {
        if (this.connection !== connection) return;
        this.take(event);
      }
    } catch (error) {
      if (this.connection !== connection) return;
      this.setStatus('stopped');
      this.onProblem(error);
    }
    if (this.connection === connection) this.connection = null;
    this.refresh();
  }

  disconnect() {
    const { connection } = this;
    this.connection = null;
    connection.abort();
    this.setPaused(false);
    this.setStatus('disconnected');
    this.refresh();
  }

  setPaused(isPaused) {
    this.isPaused = isPaused;
    this.release?.();
    this.resumed = isPaused ? new Promise((resolve) => (this.release = resolve)) : undefined;
    this.part('pause').setAttribute('aria-pressed', String(isPaused));
    this.part('pause').textContent = isPaused ? 'Go on reading' : 'Pause reading';
    if (isPaused) this.setStatus('paused');
    else if (this.connection) this.setStatus(this.status ?? 'open');
  }

  onConnection(state) {
    if (state === 'reconnecting') return this.setStatus('reconnecting');
    this.connections += 1;
    this.put({ connections: this.connections });
  }

  take(event) {
    this.events += 1;
    if (event.cursor !== '') this.cursor = event.cursor;
    if (event.type === 'stream') {
      this.status = event.status;
      this.sizeBytes = event.metadata.sizeBytes;
    }
    if (event.type === 'lost') this.status = 'lost';
    if (event.type === 'resumed') this.status = 'open';
    if (event.type === 'rewind') this.reset();
    if (event.type === 'fragment') this.append(event);
    if (event.type === 'final') this.finish(event);
    if (event.attempt ?? event.epoch) this.put({ attempt: event.attempt ?? event.epoch });
    this.put({ cursor: this.cursor || '–', bytes: this.bytes, events: this.events });
    this.showProgress();
    if (!this.isPaused && !this.isFinal) this.setStatus(this.status);
  }

  /** Of a stream whose producer said at the open how much it will be: a hint, so the end is what `final` says. */
  showProgress() {
    const progress = this.part('progress');
    progress.hidden = !this.isBytes || !(Number.isSafeInteger(this.sizeBytes) && this.sizeBytes > 0);
    if (progress.hidden) return;
    progress.max = this.sizeBytes;
    progress.value = this.bytes;
    progress.title = `${this.bytes} of ${this.sizeBytes} bytes`;
  }

  append({ text, items, base64 }) {
    const shown = text ?? items?.map((value) => `${JSON.stringify(value)}\n`).join('') ?? `[${base64.length} base64 characters]\n`;
    // CRC-32 and bytes can be checked only where what is shown is what was appended; of values nobody knows the bytes.
    if (text === undefined) this.isText = false;
    if (items !== undefined) this.isBytes = false;
    if (base64 !== undefined) this.bytes += (base64.length * 3) / 4 - base64.match(/=*$/)[0].length;
    if (text !== undefined) {
      this.bytes += byteLength(text);
      this.checksum = crc32(text, this.checksum);
    }
    const content = this.part('content');
    const isAtBottom = content.scrollHeight - content.scrollTop - content.clientHeight < 40;
    content.append(shown);
    if (isAtBottom) content.scrollTop = content.scrollHeight;
  }

  finish(event) {
    this.isFinal = true;
    this.setStatus(event.status);
    const isRight = !this.isText || (event.bytes === this.bytes && event.checksum === this.checksum);
    const check = this.isText ? (isRight ? 'matches what is shown here' : `but ${this.bytes} bytes, ${hex(this.checksum)} came`) : '';
    const reason = [event.reason, event.message].filter(Boolean).join(': ');
    const facts = `${event.bytes} bytes in ${event.sequence} fragments, CRC-32 ${hex(event.checksum)} ${check}`;
    this.setFinal(`Final: ${event.status}${reason ? ` (${reason})` : ''}. ${facts}`, isRight ? 'good' : 'bad');
  }

  reset() {
    this.part('content').replaceChildren();
    Object.assign(this, { bytes: 0, checksum: 0, isText: true, isBytes: true, status: 'open' });
    this.put({ cursor: '–', bytes: 0 });
  }

  put(facts) {
    for (const [name, fact] of Object.entries(facts)) this.part(name).textContent = fact;
  }

  setStatus(status) {
    this.part('status').textContent = status;
    this.part('status').className = `pill ${status.split(' ')[0]}`;
    this.part('content').classList.toggle('growing', status === 'open' || status === 'lost');
  }

  setFinal(text, className = '') {
    this.part('final').textContent = text;
    this.part('final').className = `final ${className}`;
  }

  refresh() {
    this.part('pause').disabled = !this.connection;
    this.part('connect').disabled = this.isFinal;
    this.part('connect').textContent = this.connection || this.isFinal ? 'Disconnect' : this.cursor === '' ? 'Connect' : `Resume after ${this.cursor}`;
  }
}
