import type { ServerResponse } from 'node:http';

/**
 * Calls back once the response is over or its connection gone. A response that is queued behind an earlier one of its connection has no
 * socket yet: when the connection goes before its turn, it emits nothing itself.
 * @returns stops listening
 */
export function onGone(response: ServerResponse, listener: () => void): () => void {
  const connection = response.socket === null ? response.req.socket : null;
  response.once('close', listener);
  connection?.once('close', listener);
  return () => {
    response.off('close', listener);
    connection?.off('close', listener);
  };
}
