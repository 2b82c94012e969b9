import type { DynamicModule } from '@nestjs/common';
import { AllocatorModule, buildAllocator, openApi, readAllocatorConfig } from '@rivulet/allocator';
import { buildFanout, FanoutModule, readFanoutConfig } from '@rivulet/fanout';
import { IngestModule, readIngestConfig } from '@rivulet/ingest';
import { buildPlugins, PluginsModule, readPluginsConfig } from '@rivulet/plugins';
import { buildFrame, createApp, openLog } from '@rivulet/service';
import type { AllocatorPort, Frame, RouteFact } from '@rivulet/service';

class EveryRoute {}

/** The files of the page are not part of the API. */
const isOfTheApi = ({ url, method }: RouteFact): boolean =>
  method !== 'HEAD' && /^\/(v1\/|healthz|readyz|metrics|(open|async)api\.json)/.test(url);

/** Starts all apps in this process and looks at what they registered. */
async function routesOfAllApps(): Promise<{ http: string[]; sockets: string[] }> {
  const env = { RIVULET_LOG: 'memory', RIVULET_LOG_LEVEL: 'silent', RIVULET_AUTH: 'off' };
  const config = readAllocatorConfig(env);
  const frame: Frame = buildFrame('all', config);
  const log = await openLog(config, frame);
  const built = buildAllocator(frame, log, config);
  const { allocator } = built;
  const port: AllocatorPort = {
    open: (call) => allocator.open(call),
    retry: (call) => allocator.retry(call),
    cancel: (call) => allocator.cancel(call),
    whyNotReady: () => null,
  };
  const root: DynamicModule = {
    module: EveryRoute,
    imports: [
      IngestModule.with({ frame, log, config: readIngestConfig(env), allocator: port }),
      FanoutModule.with(buildFanout(frame, log, readFanoutConfig(env), port)),
      AllocatorModule.with({ frame, log, config, built }),
      PluginsModule.with(buildPlugins({ frame, log, config: readPluginsConfig({ ...env, RIVULET_PLUGINS_SHIPPED: ' ' }), allocator: port })),
    ],
  };
  await createApp(root, frame, { host: '127.0.0.1', port: 0 });
  const http = frame.routes.filter(isOfTheApi).map(({ method, url }) => `${method} ${url.replace(/:(\w+)/g, '{$1}')}`);
  const sockets = frame.sockets.paths;
  await frame.drain.run();
  return { http: [...new Set(http)].sort(), sockets: [...sockets].sort() };
}

test('the OpenAPI document describes every route of every app, and no other', async () => {
  const routes = await routesOfAllApps();
  const http: string[] = [];
  const sockets: string[] = [];
  for (const [path, operations] of Object.entries(openApi()['paths'] as Record<string, Record<string, { 'x-websocket'?: boolean }>>)) {
    for (const [method, operation] of Object.entries(operations)) {
      if (operation['x-websocket']) sockets.push(path);
      else http.push(`${method.toUpperCase()} ${path}`);
    }
  }
  expect({ http: http.sort(), sockets: sockets.sort() }).toEqual(routes);
});

test('every operation has a summary, a tag that exists, declared path parameters and an answer for errors', () => {
  const document = openApi() as { tags: { name: string }[]; paths: Record<string, Record<string, Record<string, unknown>>> };
  const tags = document.tags.map(({ name }) => name);
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const { summary, tags: its, parameters = [], responses } = operation;
      const where = `${method} ${path}`;
      expect([where, typeof summary]).toEqual([where, 'string']);
      expect(tags).toEqual(expect.arrayContaining(its as string[]));
      expect([where, Object.keys(responses as object)]).toEqual([where, expect.arrayContaining(['default'])]);
      const declared = (parameters as { name: string; in: string }[]).filter((one) => one.in === 'path').map(({ name }) => name);
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect([where, declared]).toEqual([where, named]);
    }
  }
});
