import { Controller, Inject } from '@nestjs/common';
import { EventPattern, Payload, RpcException } from '@nestjs/microservices';
import type { LogBatch } from '@rivulet/log';
import { Owners } from './owners';

/** The edge between the log's transport and the owners of partitions: what is asked and told by LogBatchServer of libs/log. */
@Controller()
export class PartitionController {
  constructor(@Inject(Owners) private readonly owners: Owners) {}

  /** @returns the offset to read the partition from. A throw is answered with revoked, and assigned again after a pause. */
  @EventPattern('partition.assigned')
  assigned(@Payload() { partition }: { partition: number }): Promise<number> {
    return this.owners.assigned(partition).catch(passOn);
  }

  @EventPattern('partition.revoked')
  revoked(@Payload() { partition }: { partition: number }): void {
    this.owners.revoked(partition);
  }

  /** The next batch of the partition comes when this one is folded. */
  @EventPattern('fragments')
  fold(@Payload() batch: LogBatch): Promise<void> {
    return this.owners.fold(batch).catch(passOn);
  }
}

/** Nest logs any other error itself and hides it from the transport, which says it once, with the partition. */
function passOn(error: unknown): never {
  throw new RpcException(error as Error);
}
