import { Producer } from '@rivulet/client';
import type { Auth } from '@rivulet/service';
import type { Requests } from './requests';
import { replyKey } from './reply-key';
import { textOf } from './stream-text';
import type { StreamFact } from './stream-facts';

interface AskParts {
  requests: Requests;
  auth: Auth;
  ingestUrl: string;
  watchUrl: string;
  inputBytesMax: number;
}

/** An Idempotency-Key of this age is still taken by the allocator [APPEND-11], with room for clocks that differ. */
const AGE_MS_MAX = 23 * 3_600_000;

/**
 * [PLUGIN-5] Makes a bound stream that has ended a request of its plugin: its text is the input, the answer a new stream in its channel.
 * Each step may be repeated: the answer's streamNo follows from the asking one, a second request for it is answered by nobody.
 */
export class BoundAsks {
  constructor(private readonly parts: AskParts) {}

  /** @returns `done`, or why there is no answer: for operators, whoever wrote the stream knows how it ended */
  async ask(fact: StreamFact, plugin: string): Promise<string> {
    const { inputBytesMax, auth, watchUrl, requests } = this.parts;
    const { final, open, streamNo } = fact;
    if (final?.status !== 'ended') return 'not_ended';
    if (Date.now() - final.at > AGE_MS_MAX) return 'too_old';
    const reply = { plugin, channel: open.channel, by: open.openedBy ?? '', inReplyTo: streamNo, idempotencyKey: replyKey(streamNo, plugin, final.at) };
    if (open.merge !== 'text') return this.refuse(reply, 'INPUT_INVALID', `A plugin is asked by text, not by ${open.contentType}.`);
    // As JSON it is never shorter.
    const input = fact.bytes > inputBytesMax ? null : await textOf(fact, auth, watchUrl);
    if (input === null || Buffer.byteLength(JSON.stringify(input)) > inputBytesMax) {
      return this.refuse(reply, 'INPUT_TOO_LARGE', `A plugin is asked by at most ${inputBytesMax} bytes.`);
    }
    await requests.reply({ ...reply, input });
    return 'done';
  }

  /** Whoever waits for an answer gets one that failed, with the reason. */
  private async refuse(reply: Omit<Parameters<Requests['open']>[0], 'input'>, code: string, message: string): Promise<string> {
    const { streamNo, writeToken } = await this.parts.requests.open({ ...reply, input: null });
    const producer = new Producer({ url: this.parts.ingestUrl, fetch }, { streamNo, epoch: 1, writeToken, next: 1, checksum: 0 });
    try {
      await producer.abort(code, message);
    } finally {
      producer.retire();
    }
    return code.toLowerCase();
  }
}
