import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendProblem } from '@rivulet/service';
import type { Frame } from '@rivulet/service';

const PREFIX = '/v1/streams/:no/';

export interface HookTarget {
  addHook(name: 'onRequest', hook: (request: FastifyRequest, reply: FastifyReply, done: () => void) => void): unknown;
}

/** [NO-2] A made-up streamNo costs its check and nothing else: no body is read, no token verified, no table asked. */
export function refuseEarly(fastify: HookTarget, frame: Pick<Frame, 'streamNos'>): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.url?.startsWith(PREFIX)) {
      try {
        frame.streamNos.verify((request.params as { no: string }).no);
      } catch (error) {
        sendProblem(reply, error, request.id);
        return;
      }
    }
    done();
  });
}

