/** What one session was shown of one stream over all its reconnects: checked as it comes, so that a million fragments need no memory. */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { ReaderEvent } from '@rivulet/protocol';

const BREACHES_MAX = 5;

export class SessionRecord {
  readonly breaches: string[] = [];
  last = 0;
  isFinal = false;
  finalStatus = '';
  /** How often a connection began. */
  connections = 0;
  fragments = 0;
  rewinds = 0;
  private epoch = 0;
  private hash: Hash = createHash('sha256');

  /** @param session in words */
  constructor(readonly session: string, readonly streamNo: string) {}

  /** SHA-256 of everything since the beginning or the last rewind. */
  get digest(): string {
    return this.hash.copy().digest('hex');
  }

  get where(): string {
    return `${this.session} on ${this.streamNo}`;
  }

  add(event: ReaderEvent): void {
    if (this.isFinal && event.type !== 'stream') this.breach(`${event.type} after final`);
    if (event.type === 'stream') this.connections += 1;
    if (event.type === 'rewind') this.rewind(event);
    if (event.type === 'fragment') this.fragment(event);
    if (event.type === 'final') {
      this.isFinal = true;
      this.finalStatus = event.status;
      if (event.sequence !== this.last) this.breach(`final names ${event.sequence} fragments after ${this.last}`);
    }
  }

  breach(what: string): void {
    if (this.breaches.length < BREACHES_MAX) this.breaches.push(`${this.where}: ${what}`);
  }

  private rewind(event: ReaderEvent & { type: 'rewind' }): void {
    if (event.epoch <= this.epoch) this.breach(`rewind to epoch ${event.epoch} after epoch ${this.epoch}`);
    this.epoch = event.epoch;
    this.last = 0;
    this.rewinds += 1;
    this.hash = createHash('sha256');
  }

  private fragment(event: ReaderEvent & { type: 'fragment' }): void {
    const [epoch, sequence] = event.cursor.split('.').map(Number);
    if (epoch! < this.epoch) this.breach(`stale epoch ${epoch} after ${this.epoch}, fragments ${event.from}–${event.to}`);
    if (sequence !== event.to) this.breach(`cursor ${event.cursor} on fragments ${event.from}–${event.to}`);
    if (event.from <= this.last) this.breach(`duplicate or reordered, ${event.from}–${event.to} after ${this.last}`);
    else if (event.from > this.last + 1) this.breach(`gap, ${event.from} after ${this.last}`);
    this.epoch = Math.max(this.epoch, epoch!);
    this.last = event.to;
    this.fragments += event.to - event.from + 1;
    this.hash.update(payloadOf(event));
  }
}

function payloadOf(event: ReaderEvent & { type: 'fragment' }): Buffer {
  if (event.text !== undefined) return Buffer.from(event.text);
  if (event.base64 !== undefined) return Buffer.from(event.base64, 'base64');
  return Buffer.from((event.items ?? []).map((value) => JSON.stringify(value)).join(''));
}
