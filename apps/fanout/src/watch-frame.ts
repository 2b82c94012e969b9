import { z } from 'zod';
import { CONNECTION_ID_RANGE, isConnectionId, isSessionName, SESSION_NAME_RANGE, StreamError } from '@rivulet/protocol';
import type { WatchRequest } from '@rivulet/protocol';
import { CHANNEL_CURSOR_LENGTH_MAX } from './channel-cursor';
import { ENDED_MAX, INTERVAL_MS_MAX } from './watch-request';

const id = z.string().min(1).max(64);
const session = z.string().refine(isSessionName, `is ${SESSION_NAME_RANGE}`);
const connection = z.string().refine(isConnectionId, `is ${CONNECTION_ID_RANGE}`);
const intervalMs = z.number().int().min(0).max(INTERVAL_MS_MAX);
const ended = z.number().int().min(0).max(ENDED_MAX);

const shape = z.discriminatedUnion('type', [
  z.object({ type: z.literal('auth'), token: z.string().min(1).max(8192) }).strict(),
  z.object({
    type: z.literal('subscribe'), id, streamNo: z.string().max(64).optional(), channel: z.string().min(1).max(512).optional(),
    from: z.string().max(CHANNEL_CURSOR_LENGTH_MAX).optional(), ended: ended.optional(),
    session: session.optional(), connection: connection.optional(),
    window: z.number().int().min(1).max(1_000_000).optional(), intervalMs: intervalMs.optional(),
  }).strict(),
  z.object({ type: z.literal('unsubscribe'), id }).strict(),
  z.object({ type: z.literal('ack'), id, cursor: z.string().max(128) }).strict(),
  z.object({ type: z.literal('cancel'), streamNo: z.string().max(64), reason: z.string().max(1024).optional() }).strict(),
]);

/** What a watcher sent, checked. @throws StreamError FRAME_INVALID */
export function parseWatchFrame(text: string): WatchRequest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new StreamError('FRAME_INVALID', { detail: 'The frame is not JSON.' }, { cause: error });
  }
  return checkWatchFrame(json);
}

/** @throws StreamError FRAME_INVALID */
export function checkWatchFrame(json: unknown): WatchRequest {
  const parsed = shape.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new StreamError('FRAME_INVALID', { detail: `${issue?.path.join('.') || 'The frame'}: ${issue?.message}.` });
  }
  const frame = parsed.data;
  if (frame.type !== 'subscribe') return frame;
  if ((frame.streamNo === undefined) === (frame.channel === undefined)) {
    throw new StreamError('FRAME_INVALID', { detail: 'subscribe takes a streamNo or a channel, exactly one of them.' });
  }
  if (frame.streamNo !== undefined && frame.ended !== undefined) {
    throw new StreamError('FRAME_INVALID', { detail: '`ended` is how many ended streams of a channel are wanted.' });
  }
  if (frame.channel !== undefined && frame.session !== undefined) {
    throw new StreamError('FRAME_INVALID', { detail: 'A session name is for one stream: subscribe to each stream with it.' });
  }
  return frame;
}
