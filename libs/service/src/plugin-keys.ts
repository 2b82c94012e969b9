/**
 * Metadata of a stream that binds it to plugins, as its producer gave it or the allocator added it by RIVULET_ALLOCATOR_BINDINGS at the
 * open. It stands in the `open` record, so that a change of the bindings changes nothing for streams that are there.
 */
/** Name of the plugin that answers the stream once it has ended. */
export const ASK_KEY = 'askPlugin';
/** Names of the plugins that are told when the stream is final. */
export const TELL_KEY = 'tellPlugins';
/** At most so many are told of one stream. */
export const TELL_MAX = 8;

export const PLUGIN_NAME = /^[a-z0-9-]{1,64}$/;
export const isPluginName = (value: unknown): value is string => typeof value === 'string' && PLUGIN_NAME.test(value);
