import type { FastifyInstance } from 'fastify';
import type { Frame } from './frame';

/** Every app has them, without a credential: they show nothing of streams. */
export function addSystemRoutes(fastify: FastifyInstance, frame: Frame): void {
  // Alive: the event loop turns. Whether work can be done is /readyz.
  fastify.get('/healthz', (_request, reply) => {
    reply.header('cache-control', 'no-store').send({ app: frame.app, instance: frame.instance, healthy: true });
  });
  fastify.get('/readyz', (_request, reply) => {
    const report = frame.readiness.report();
    reply.code(report.ready ? 200 : 503).header('cache-control', 'no-store').send({ app: frame.app, instance: frame.instance, ...report });
  });
  fastify.get('/metrics', async (_request, reply) => {
    const text = await frame.metrics.registry.metrics();
    return reply.header('content-type', frame.metrics.registry.contentType).header('cache-control', 'no-store').send(text);
  });
}
