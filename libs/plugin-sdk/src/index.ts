export { definePlugin, pluginFacts } from './define-plugin';
export type { PluginFacts } from './define-plugin';
export { secret, secretFields } from './secret';
export { PLUGIN_API } from './plugin';
export type {
  Content, HistoryTurn, PluginContext, PluginDefinition, PluginEvent, PluginHooks, PluginHttpAnswer, PluginHttpRequest, PluginOpen,
  PluginRequest, PluginStream, SendDecision,
} from './plugin';
