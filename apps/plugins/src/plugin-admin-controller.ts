import { Controller, Get, Inject, Param, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { StreamError } from '@rivulet/protocol';
import { credentialsOf } from '@rivulet/service';
import type { BuiltPlugins } from './build-plugins';
import type { LogLine } from './plugin-log';
import type { ShownRow } from './plugin-matrix';
import type { PluginReports } from './plugin-reports';
import { BUILT } from './tokens';

const LINES_DEFAULT = 100;

/** The health matrix, what is being answered, and the logs of the host that is asked. Read only. */
@Controller('v1/admin/plugins')
export class PluginAdminController {
  constructor(@Inject(BUILT) private readonly built: BuiltPlugins) {}

  @Get()
  async all(@Req() request: FastifyRequest): Promise<ShownRow[]> {
    await this.admit(request);
    return this.built.reports.rows();
  }

  @Get(':name/answers')
  async answers(@Req() request: FastifyRequest, @Param('name') name: string): Promise<ReturnType<PluginReports['answersOf']>> {
    await this.admit(request);
    return this.built.reports.answersOf(name);
  }

  @Get(':name/logs')
  async logs(
    @Req() request: FastifyRequest, @Param('name') name: string, @Query('lines') lines?: string, @Query('since') since?: string,
  ): Promise<{ host: string; plugin: string; lines: readonly LogLine[] }> {
    await this.admit(request);
    const log = this.built.plugins.log(name);
    if (!log) throw new StreamError('PLUGIN_NOT_FOUND', { plugin: name, host: this.built.host });
    const count = Number(lines ?? LINES_DEFAULT);
    if (!Number.isInteger(count) || count < 1) throw new StreamError('OPTIONS_INVALID', { option: 'lines', detail: 'lines must be a whole number from 1.' });
    const after = Number(since ?? 0);
    if (!Number.isInteger(after) || after < 0) throw new StreamError('OPTIONS_INVALID', { option: 'since', detail: 'since must be the `at` of a line.' });
    return { host: this.built.host, plugin: name, lines: log.newest(count, after) };
  }

  private async admit(request: FastifyRequest): Promise<void> {
    const { auth } = this.built.frame;
    auth.authorize(await auth.authenticate(credentialsOf(request)), { scope: 'inspect' });
  }
}
