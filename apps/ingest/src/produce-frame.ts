import { StreamError } from '@rivulet/protocol';
import type { OpenOptions } from '@rivulet/protocol';
import { z } from 'zod';
import { abortShape, cancelShape, endShape, parseShape } from './parse-shape';

const streamNo = z.string();
const epoch = z.number().int().min(1).optional();
const controlShape = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('auth'), token: z.string() }),
  z.strictObject({
    type: z.literal('open'), id: z.string().max(128), idempotencyKey: z.string().optional(),
    options: z.custom<OpenOptions>((value) => typeof value === 'object' && value !== null).optional(),
  }),
  z.strictObject({ type: z.literal('end'), streamNo, epoch, ...endShape.shape }),
  z.strictObject({ type: z.literal('abort'), streamNo, epoch, ...abortShape.shape }),
  z.strictObject({ type: z.literal('cancel'), streamNo, ...cancelShape.shape }),
  z.strictObject({ type: z.literal('heartbeat'), streamNo, epoch }),
]);
export type ControlFrame = z.output<typeof controlShape>;
/** Its content is parsed with the rules of its stream. */
export interface AppendFrame { type: 'append'; streamNo: string; epoch?: number; run?: string }

/** One text frame → what it asks. @throws StreamError FRAME_INVALID */
export function parseProduceFrame(text: string): AppendFrame | ControlFrame {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch (cause) {
    throw new StreamError('FRAME_INVALID', { detail: `Not JSON: ${(cause as Error).message}.` }, { cause });
  }
  if (typeof frame !== 'object' || frame === null) throw new StreamError('FRAME_INVALID', { detail: 'A frame is a JSON object.' });
  if ((frame as { type?: unknown }).type !== 'append') return parseShape(controlShape, frame, 'FRAME_INVALID');
  const { streamNo: no, epoch: held, run } = frame as { streamNo?: unknown; epoch?: unknown; run?: unknown };
  if (typeof no !== 'string') throw new StreamError('FRAME_INVALID', { detail: 'append needs streamNo.', place: 'streamNo' });
  if (held !== undefined && !Number.isSafeInteger(held)) throw new StreamError('FRAME_INVALID', { detail: 'epoch is not a whole number.', place: 'epoch' });
  if (run !== undefined && typeof run !== 'string') throw new StreamError('FRAME_INVALID', { detail: 'run is not a text.', place: 'run' });
  return frame as AppendFrame;
}
