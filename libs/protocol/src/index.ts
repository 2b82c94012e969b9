export { ERRORS, StreamError, problemOf } from './errors';
export type { ErrorCode, ErrorRow, NextStep, Problem } from './errors';
export { BEAT_KEY, OWNER_KEY, topicNames } from './records';
export type {
  AbortRecord, AppendRecord, BeatRecord, CancelRecord, DeleteRecord, EndRecord, ExpireRecord, GapRecord, LapseRecord, Limits, LogRecord,
  Merge, OpenRecord, RetryRecord, StreamClass, TopicNames,
} from './records';
export type {
  Attempt, Crc32, Effect, FinalFacts, HeldFragment, OpenFacts, PendingEnd, Position, PublicStatus, StreamState, StreamStatus, Verdict,
  VerdictKind,
} from './state';
export type { LifecycleValue, OwnerValue, Version } from './lifecycle';
export { CLAIMING, claimOf, decodeLifecycle, decodeOwner, encodeLifecycle, encodeOwner, isNewer } from './lifecycle-codec';
export { METADATA_BYTES_MAX, METADATA_DEPTH_MAX, metadataProblem } from './metadata';
export { STREAM_NO_LENGTH, issueStreamNo, parseStreamNo, verifyStreamNo } from './stream-no';
export type { Mac, StreamNoParts } from './stream-no';
export { decodeRecord, encodeRecord } from './record-codec';
export {
  decodeWatchReply, decodeWatchRequest, encodeJsonFragment, encodeSubscriptionId, encodeWatchEvent, encodeWatchReply, encodeWatchRequest,
} from './watch-codec';
export type { BinaryEvent, BinaryReply } from './watch-codec';
export { JUDGE_VERSION, judge } from './judge';
export type { Judgement } from './judge';
export { failState } from './judge-final';
export { freshState } from './fresh-state';
export {
  cloneState, decodeState, encodeState, equalForCheckpoint, heldOffsets, publicStatus, restoreHeld, summaryOf,
} from './state-codec';
export type { JsonState } from './state-codec';
export { PositionIndex, stateAt } from './positions';
export type { StreamFacts } from './positions';
export { compareCursors, formatCursor, formatFinalCursor, parseCursor, resolveCursor } from './cursor';
export type { Cursor, ResolvedCursor } from './cursor';
export {
  CONNECTION_ID_RANGE, cursorText, decodeAttached, decodeConfirmed, encodeAttached, encodeConfirmed, isConnectionId, isNoLaterConnection,
  isSessionName, parseSessionKey, SESSION_NAME_RANGE, sessionKey,
} from './session-cursors';
export type { AttachedValue, ConfirmedValue, SessionKey } from './session-cursors';
export { crc32Table } from './crc32-table';
export { completeUtf8Length, isValidUtf8 } from './utf8';
export { HEADERS, SUBPROTOCOLS } from './wire';
export type {
  AbortBody, AckBody, AdminPartition, AdminStream, AdminStreamPage,
  AppendAck, AppendBody, CancelBody, ConfirmedCursor, ConfirmedReply, EndBody, FinalEvent, FragmentEvent, FragmentIn,
  IssuedToken, LostEvent, OpenOptions, OpenedStream, PartitionClaim, ProbeEvent, ProblemEvent, ProduceReply, ProduceRequest, ReaderEvent,
  ResetEvent, ResumedEvent, RetriedStream, RetryBody, RewindEvent, StreamEvent, StreamSummary,
  TokenBody, VerdictReply, WatchReply, WatchRequest,
} from './wire';
