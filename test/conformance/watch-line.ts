import WebSocket from 'ws';
import { decodeWatchReply, encodeWatchRequest, SUBPROTOCOLS } from '@rivulet/protocol';
import type { BinaryReply, WatchReply, WatchRequest } from '@rivulet/protocol';
import type { Target } from './target';

// Frames are checked by the tests, field by field.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Frame = any;
export type Subprotocol = (typeof SUBPROTOCOLS)[keyof typeof SUBPROTOCOLS];

/** A socket of a watcher that speaks one of the subprotocols; its frames are shown as the JSON ones, whatever they were on the line. */
export class WatchLine {
  readonly socket: WebSocket;
  private readonly frames: WatchReply[] = [];
  private wake: () => void = () => undefined;

  private constructor(target: Target, private readonly subprotocol: Subprotocol) {
    this.socket = new WebSocket(`${target.url.replace(/^http/, 'ws')}/v1/watch/ws`, subprotocol);
    this.socket.on('message', (bytes, isBinary) => {
      if (isBinary !== (subprotocol === SUBPROTOCOLS.proto)) throw new Error(`${isBinary ? 'binary' : 'text'} under ${subprotocol}`);
      this.frames.push(isBinary ? shownAsJson(decodeWatchReply(bytes as Buffer)) : JSON.parse(String(bytes)) as WatchReply);
      this.wake();
    });
  }

  static async connect(target: Target, subprotocol: Subprotocol, token = target.apiKey): Promise<WatchLine> {
    const line = new WatchLine(target, subprotocol);
    await new Promise((resolve, reject) => line.socket.once('open', resolve).once('error', reject));
    if (line.socket.protocol !== subprotocol) throw new Error(`the service speaks ${line.socket.protocol}`);
    line.send({ type: 'auth', token });
    return line;
  }

  send(frame: WatchRequest): void {
    this.socket.send(this.subprotocol === SUBPROTOCOLS.proto ? encodeWatchRequest(frame) : JSON.stringify(frame));
  }

  /** @returns the next frame, or null when none comes within the time */
  async next(msMax = 15_000): Promise<Frame> {
    const deadline = Date.now() + msMax;
    while (this.frames.length === 0) {
      const restMs = deadline - Date.now();
      if (restMs <= 0) return null;
      const timer = setTimeout(() => this.wake(), restMs);
      await new Promise<void>((resolve) => (this.wake = resolve));
      clearTimeout(timer);
    }
    return this.frames.shift();
  }

  async until(matches: (frame: Frame) => boolean): Promise<Frame[]> {
    const seen: Frame[] = [];
    for (;;) {
      const frame = await this.next();
      if (frame === null) throw new Error(`nothing more came after ${JSON.stringify(seen.at(-1))}`);
      seen.push(frame);
      if (matches(frame)) return seen;
    }
  }
}

function shownAsJson(reply: BinaryReply): WatchReply {
  if (reply.type !== 'fragment') return reply;
  const { raw, ...rest } = reply;
  return { ...rest, ...(raw === undefined ? {} : { base64: Buffer.from(raw).toString('base64') }) };
}
