'use strict';
// Preloaded (node --require) into every process that the tools start: when the parent is gone, however it went, the child drains and ends.
// Without it a `kill -9` of `npm start` would leave three services running on their ports.
const DRAIN_MS_MAX = 20_000;

if (process.channel) {
  process.once('disconnect', () => {
    process.kill(process.pid, 'SIGTERM');
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), DRAIN_MS_MAX).unref();
  });
  // Listening must not keep a process alive that has nothing else to do.
  process.channel.unref();
}
