import { AllocatorGrpc } from './allocator-client';
import type { Frame } from './frame';
import type { ServiceConfig } from './service-rows';

/** The allocators as the environment names them; closed last, with the log. */
export function connectAllocator(config: ServiceConfig & { allocatorMsMax: number }, frame: Frame): AllocatorGrpc {
  const { allocatorGrpcAddresses: addresses, serviceToken, allocatorMsMax: deadlineMs } = config;
  const allocator = new AllocatorGrpc({ addresses, serviceToken, deadlineMs });
  frame.drain.add('log', 'allocator', () => allocator.close());
  return allocator;
}
