import { decodeWatchRequest, encodeSubscriptionId, encodeWatchReply, StreamError, SUBPROTOCOLS } from '@rivulet/protocol';
import type { WatchReply, WatchRequest } from '@rivulet/protocol';
import type { Tellable } from './event-text';
import type { SharedFrames } from './shared-frames';
import type { StreamEntry } from './stream-source';
import { checkWatchFrame, parseWatchFrame } from './watch-frame';

/** One message of a socket: text or binary. */
export type SocketFrame = string | Uint8Array;

/** How the messages of one socket look; chosen by its subprotocol. */
export interface SocketCodec {
  /** @throws StreamError FRAME_INVALID */
  parse(bytes: Buffer, isBinary: boolean): WatchRequest;
  encode(reply: WatchReply): SocketFrame;
  /** @returns what encodes the events of a subscription: its id and place, and then what is encoded once for all subscriptions */
  events(id: string, frames: SharedFrames): (entry: StreamEntry, told: Tellable, channelCursor?: string) => SocketFrame;
}

const json: SocketCodec = {
  parse(bytes, isBinary) {
    if (isBinary) throw new StreamError('FRAME_INVALID', { detail: `Binary frames are taken under the subprotocol ${SUBPROTOCOLS.proto}; here it is JSON text.` });
    return parseWatchFrame(bytes.toString());
  },
  encode: (reply) => JSON.stringify(reply),
  events(id, frames) {
    const prefix = `{"id":${JSON.stringify(id)},`;
    return (entry, told, channelCursor) =>
      prefix + (channelCursor === undefined ? '' : `"channelCursor":"${channelCursor}",`) + frames.frame('socket', entry, told);
  },
};

const proto: SocketCodec = {
  parse(bytes, isBinary) {
    if (!isBinary) throw new StreamError('FRAME_INVALID', { detail: `Under the subprotocol ${SUBPROTOCOLS.proto} frames are binary.` });
    return checkWatchFrame(decodedOf(bytes));
  },
  encode: encodeWatchReply,
  events(id, frames) {
    const prefix = encodeSubscriptionId(id);
    return (entry, told, channelCursor) =>
      Buffer.concat([channelCursor === undefined ? prefix : encodeSubscriptionId(id, channelCursor), frames.frame('proto', entry, told)]);
  },
};

function decodedOf(bytes: Buffer): unknown {
  try {
    return decodeWatchRequest(bytes);
  } catch (error) {
    throw new StreamError('FRAME_INVALID', { detail: 'The frame is not a WatchRequest of watch.proto.' }, { cause: error });
  }
}

/** @param subprotocol as agreed in the handshake; '' is JSON */
export function socketCodec(subprotocol: string): SocketCodec {
  return subprotocol === SUBPROTOCOLS.proto ? proto : json;
}
