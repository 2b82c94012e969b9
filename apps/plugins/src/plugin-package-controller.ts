import type { Readable } from 'node:stream';
import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Req } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { StreamError } from '@rivulet/protocol';
import { credentialsOf } from '@rivulet/service';
import type { Principal, Scope } from '@rivulet/service';
import { z } from 'zod';
import type { BuiltPlugins } from './build-plugins';
import type { Installed } from './package-installer';
import type { InstalledRow } from './plugin-changes';
import type { ConfigView } from './plugin-configs';
import { BUILT } from './tokens';

const enabling = z.object({ isEnabled: z.boolean() }).strict();
const TYPES = /^application\/(?:gzip|x-gzip|octet-stream)(?:;|$)/i;

/** What is installed: for all hosts, through any of them. */
@Controller('v1/admin/plugins')
export class PluginPackageController {
  constructor(@Inject(BUILT) private readonly built: BuiltPlugins) {}

  @Post('packages')
  @HttpCode(202)
  @RouteConfig({ streamBody: true })
  async install(@Req() request: FastifyRequest): Promise<Installed> {
    const { id } = await this.admit(request, 'admin');
    const contentType = request.headers['content-type'] ?? '';
    if (!TYPES.test(contentType)) {
      throw new StreamError('CONTENT_TYPE_UNSUPPORTED', { contentType, detail: 'A package is a .tgz as the body, with Content-Type application/gzip.' });
    }
    if (!request.body) throw new StreamError('BODY_INVALID', { detail: 'The body is empty; it must be a .tgz.' });
    return this.built.installer.install(request.body as Readable, id);
  }

  @Get('packages')
  async packages(@Req() request: FastifyRequest): Promise<InstalledRow[]> {
    await this.admit(request, 'inspect');
    return this.built.changes.list();
  }

  @Put(':name')
  async setEnabled(@Req() request: FastifyRequest, @Param('name') name: string, @Body() body: unknown): Promise<{ name: string; isEnabled: boolean }> {
    const { id } = await this.admit(request, 'admin');
    const asked = enabling.safeParse(body);
    if (!asked.success) throw new StreamError('OPTIONS_INVALID', { option: 'isEnabled', detail: 'The body is {"isEnabled": true} or {"isEnabled": false}.' });
    return this.built.changes.setEnabled(name, asked.data.isEnabled, id);
  }

  @Delete(':name')
  @HttpCode(204)
  async uninstall(@Req() request: FastifyRequest, @Param('name') name: string): Promise<void> {
    const { id } = await this.admit(request, 'admin');
    await this.built.changes.uninstall(name, id);
  }

  @Post(':name/rollback')
  @HttpCode(200)
  async rollBack(@Req() request: FastifyRequest, @Param('name') name: string): Promise<InstalledRow> {
    const { id } = await this.admit(request, 'admin');
    return this.built.changes.rollBack(name, id);
  }

  @Get(':name/config')
  async config(@Req() request: FastifyRequest, @Param('name') name: string): Promise<ConfigView> {
    await this.admit(request, 'inspect');
    return this.built.configs.view(name, this.built.plugins);
  }

  @Put(':name/config')
  async configure(@Req() request: FastifyRequest, @Param('name') name: string, @Body() body: unknown): Promise<ConfigView> {
    const { id } = await this.admit(request, 'admin');
    return this.built.configs.put(name, body, id, this.built.plugins);
  }

  private async admit(request: FastifyRequest, scope: Scope): Promise<Principal> {
    const { auth } = this.built.frame;
    const principal = await auth.authenticate(credentialsOf(request));
    auth.authorize(principal, { scope });
    return principal;
  }
}
