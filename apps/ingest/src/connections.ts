import { StreamError } from '@rivulet/protocol';

export type ConnectionKind = 'ndjson' | 'pipe' | 'ws';

/** Something that lasts longer than a call and has to be told when the process stops. */
export interface Connection {
  readonly kind: ConnectionKind;
  /** Ends it with that reason; it is forgotten when it has ended. */
  stop(reason: Error): void;
}

/** Open producer connections, for the gauge and for the drain. */
export class Connections {
  private readonly open = new Set<Connection>();
  private waiters: (() => void)[] = [];

  /** @returns forget */
  add(connection: Connection): () => void {
    this.open.add(connection);
    return () => {
      this.open.delete(connection);
      for (const waiter of this.waiters.splice(0)) waiter();
    };
  }

  count(kind: ConnectionKind): number {
    let count = 0;
    for (const connection of this.open) if (connection.kind === kind) count += 1;
    return count;
  }

  /**
   * Drain: connections whose producers resend are told to come back elsewhere. A pipe cannot come back: it gets some time to finish,
   * then its stream is aborted, which its readers see.
   */
  async drain(pipeDrainMsMax: number): Promise<void> {
    const reason = new StreamError('NOT_READY', { detail: 'This instance is stopping.', retryAfterMs: 1000 });
    for (const connection of this.open) if (connection.kind !== 'pipe') connection.stop(reason);
    const timer = setTimeout(() => {
      for (const connection of this.open) connection.stop(reason);
    }, pipeDrainMsMax);
    while (this.open.size > 0) await new Promise<void>((resolve) => this.waiters.push(resolve));
    clearTimeout(timer);
  }
}
