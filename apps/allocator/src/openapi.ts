import { paths } from './openapi-paths';
import { schemas } from './openapi-schemas';
import type { Node } from './openapi-schemas';

/** The whole HTTP API, of all apps behind the one origin: OpenAPI 3.1. Compared with the routes by test/repo/openapi.test.ts. */
export function openApi(): Node {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Rivulet', version: '1', license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description: 'Streaming messages over Kafka: messages that arrive in pieces over time, in order, once, live or from where you left off.',
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    tags: ['Producing', 'Watching', 'Plugins', 'Admin', 'System'].map((name) => ({ name })),
    paths: paths(),
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'An API key (rk_…) or a stream or channel token.' } },
      schemas,
    },
  };
}
