import { claimOf, decodeOwner } from '@rivulet/protocol';
import type { PartitionClaim } from '@rivulet/protocol';

/** Who claimed each partition last. An owner that died stays here until another one has claimed. */
export class Claims {
  private readonly claims = new Map<number, PartitionClaim>();

  of(partition: number): PartitionClaim | null {
    return this.claims.get(partition) ?? null;
  }

  /** @param value of the key `#owner`. @throws Error when it cannot be read */
  take(value: Uint8Array, { partition, offset }: { partition: number; offset: number }): void {
    const { version, instance, address, replayFrom } = decodeOwner(value);
    const claim = claimOf(version, offset);
    // What a loser wrote later does not count.
    if (claim >= (this.claims.get(partition)?.claim ?? 0)) this.claims.set(partition, { instance, address, claim, replayFrom });
  }
}
