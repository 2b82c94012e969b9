/** Why an answer or a hook failed, in the plugin's words or by what its process did. Not an error of ours: it never becomes INTERNAL. */
export class PluginFailure extends Error {
  /** @param isFinal no other attempt can help */
  constructor(readonly code: string, message: string, readonly isFinal = false) {
    super(message);
    this.name = 'PluginFailure';
  }
}
