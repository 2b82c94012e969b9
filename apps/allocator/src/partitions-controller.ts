import { Controller, Get, Inject, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { AdminPartition } from '@rivulet/protocol';
import { Auth, credentialsOf } from '@rivulet/service';
import { PartitionList } from './partition-list';

/** The admin API of partitions: read only. */
@Controller('v1/admin/partitions')
export class PartitionsController {
  constructor(@Inject(Auth) private readonly auth: Auth, @Inject(PartitionList) private readonly list: PartitionList) {}

  @Get()
  async all(@Req() request: FastifyRequest): Promise<AdminPartition[]> {
    this.auth.authorize(await this.auth.authenticate(credentialsOf(request)), { scope: 'inspect' });
    return this.list.all();
  }
}
