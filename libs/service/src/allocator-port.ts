import type { OpenedStream, OpenOptions, RetriedStream, VerdictReply } from '@rivulet/protocol';

export interface OpenCall {
  /** Who opens: scopes the idempotency key [APPEND-11]. */
  principal: string;
  /** '' when none. */
  idempotencyKey: string;
  /** As they came: the allocator validates them. */
  options: OpenOptions;
  /** Of plugin hosts: the plugin that answers on this stream. Such a stream asks no plugin, whatever its channel is bound to [PLUGIN-5]. */
  answerOf?: string;
}
export interface RetryCall {
  streamNo: string;
  /** The epoch the caller holds; 0: the current one. */
  epoch: number;
  attemptId: string;
  keep: 'all' | 'none';
  reason: string;
}
export interface CancelCall { streamNo: string; by: string; reason: string }

/** What ingest and fanout ask of the allocator: over gRPC, or in one process with it. Each call throws the StreamError of its refusal. */
export interface AllocatorPort {
  open(call: OpenCall): Promise<OpenedStream>;
  /** [APPEND-8] */
  retry(call: RetryCall): Promise<RetriedStream>;
  cancel(call: CancelCall): Promise<VerdictReply>;
  /** @returns null when calls can be answered, else why not, for readiness */
  whyNotReady(): string | null;
}
