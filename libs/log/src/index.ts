export type {
  Appender, AppenderOptions, AppendResult, Bounds, JoinOptions, Log, LogBatch, Membership, ProducerClass, RecordToAppend,
  ScanOptions, StoredRecord, Tail, TailHandlers, TopicSpec,
} from './log';
export { MemoryLog } from './memory-log';
export type { MemoryFaults, MemoryLogOptions } from './memory-log';
export { BulkTurns } from './bulk-turns';
export { Table } from './table';
export type { TableListener, TableOptions } from './table';
export { PartitionBatcher, PermanentSendError } from './partition-batcher';
export type { PartitionBatcherOptions, SendAnswer, SendRoute } from './partition-batcher';
export { topicSpecs } from './topic-specs';
export { LogBatchServer } from './nest-batch-server';
export type { LogBatchServerOptions } from './nest-batch-server';
export { LOG_PATTERNS } from './log-patterns';
export { openKafkaLog } from './kafka-log';
export type { KafkaLogOptions } from './kafka-log';
export { reportTopics } from './kafka-topic-report';
export type { ClusterReport, TopicReport } from './kafka-topic-report';
export type { KafkaClientOptions, KafkaLogger } from './kafka-client';
export type { Compression } from './kafka-producer';
