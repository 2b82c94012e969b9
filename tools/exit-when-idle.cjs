'use strict';
// Preloaded into jest. When nothing is open any more it leaves at once. By itself Node would first wait for what is left of its requests,
// and was seen to wait for one of them for ever, at full speed (Environment::CleanupHandles). What a test left open still shows: then it
// is not idle.
process.once('beforeExit', () => process.exit());
