import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import type { BuiltPlugins } from './build-plugins';
import { PluginAdminController } from './plugin-admin-controller';
import { PluginPackageController } from './plugin-package-controller';
import { PluginsController } from './plugins-controller';
import { BUILT } from './tokens';

/** The HTTP edge of a plugin host, around its plain classes. */
@Module({})
export class PluginsModule {
  static with(built: BuiltPlugins): DynamicModule {
    const controllers = [PluginsController, PluginAdminController, PluginPackageController];
    return { module: PluginsModule, controllers, providers: [{ provide: BUILT, useValue: built }] };
  }
}
