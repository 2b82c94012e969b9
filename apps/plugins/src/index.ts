export { buildPlugins } from './build-plugins';
export type { BuiltPlugins, PluginsParts } from './build-plugins';
export { allPluginsRows, PLUGINS_PREFIX, pluginsRows, readPluginsConfig } from './config';
export type { PluginsConfig } from './config';
export type { PluginFault, PluginState } from './plugin-faults';
export { PluginsModule } from './module';
export { FAULTS } from './plugin-faults';
export { ANSWER_CODES } from './plugin-metrics';
export type { Answered } from './plugin-metrics';
