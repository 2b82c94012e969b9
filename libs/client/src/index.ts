export { rivulet, Rivulet } from './rivulet';
export type { RivuletOptions, RetryOptions } from './rivulet';
export { Producer } from './producer';
export type { Token } from './http';
export type { ProducerOptions, WriteOptions } from './producer';
export { Watching } from './watching';
export type { WatchOptions } from './watching';
export type { Pieces, SendOptions, Sent, Source } from './send';
export type { FileProgress, SendFileOptions } from './send-file';
export type { ReceivedFile, ReceiveFileOptions } from './receive-file';
export type { KeptStream, StreamCache } from './stream-cache';
export type { ChannelEvent, ChannelOptions, ChannelProblem } from './channel';
export { Backoff } from './backoff';
export type { BackoffOptions } from './backoff';
export { StreamError } from '@rivulet/protocol';
export type {
  ErrorCode, FinalEvent, FragmentEvent, Limits, LostEvent, Merge, NextStep, OpenOptions, PublicStatus, ReaderEvent, ResumedEvent,
  RewindEvent, StreamClass, StreamEvent, StreamSummary, VerdictReply,
} from '@rivulet/protocol';
