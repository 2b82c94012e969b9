import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { files, ROOT } from './source-files';
import { APP_NAMES, APPS, at, listAt, mapAt, textAt, yamlDocuments } from './yaml-files';
import type { App, Yaml, YamlDocument } from './yaml-files';

const OVERLAY = 'deploy/kubernetes/overlays/example';
const documents = yamlDocuments(/^deploy\/kubernetes\/.*\.ya?ml$/);
const kustomizations = documents.filter(({ content }) => content['kind'] === 'Kustomization');
const ofKind = (kind: string): Yaml[] => documents.filter(({ content }) => content['kind'] === kind).map(({ content }) => content);
const deployments = ofKind('Deployment');
const nameOf = (document: Yaml): string => textAt(document, 'metadata', 'name');
const deployment = (app: App): Yaml => deployments.find((one) => nameOf(one) === `rivulet-${app}`) ?? {};
const container = (app: App): Yaml => mapAt(deployment(app), 'spec', 'template', 'spec', 'containers', 0);
const pod = (app: App): Yaml => mapAt(deployment(app), 'spec', 'template', 'spec');
const { version } = JSON.parse(files(/^package\.json$/)[0]?.text ?? '{}') as { version: string };

/** What base and overlay together put into every pod. */
function configMap(): Record<string, string> {
  const literals = kustomizations.flatMap(({ content }) => listAt(content, 'configMapGenerator').flatMap((one) => listAt(one, 'literals')));
  return Object.fromEntries(literals.map((literal) => String(literal).split(/=(.*)/s, 2) as [string, string]));
}

const SECRETS: Record<string, string> = {
  RIVULET_API_KEYS: `ops:operator:${'ab'.repeat(32)}`, RIVULET_STREAM_NO_KEYS: 'cd'.repeat(32),
  RIVULET_TOKEN_KEYS: 'ef'.repeat(32), RIVULET_SERVICE_TOKEN: 's'.repeat(32),
};
const secretsFolder = mkdtempSync(path.join(tmpdir(), 'secrets-'));
afterAll(() => rmSync(secretsFolder, { recursive: true }));

/** The environment of a pod, the mounted secrets in a folder of this machine. */
function environment(app: App): Record<string, string> {
  for (const [name, value] of Object.entries(SECRETS)) writeFileSync(path.join(secretsFolder, name), value);
  const [mount] = listAt(container(app), 'volumeMounts').map((one) => textAt(one, 'mountPath'));
  const own = listAt(container(app), 'env').filter((one) => at(one, 'value') !== undefined)
    .map((one): [string, string] => [textAt(one, 'name'), textAt(one, 'value').replace(mount ?? '', secretsFolder)]);
  return { ...configMap(), ...Object.fromEntries(own) };
}

const configOf = (app: App) => APPS[app].read(environment(app));
const isSubset = (part: Yaml, whole: Yaml): boolean => Object.entries(part).every(([key, value]) => whole[key] === value);
const podLabels = (app: App): Yaml => mapAt(deployment(app), 'spec', 'template', 'metadata', 'labels');
const selectedBy = (selector: Yaml): App[] =>
  APP_NAMES.filter((app) => Object.keys(selector).length > 0 && isSubset(selector, podLabels(app)));
const containerPorts = (app: App): Record<string, unknown> =>
  Object.fromEntries(listAt(container(app), 'ports').map((port) => [textAt(port, 'name'), at(port, 'containerPort')]));

test.each(APP_NAMES)('%s accepts the environment of its pod, secrets from files', (app) => {
  const config = configOf(app);
  expect(config).toMatchObject({ host: '0.0.0.0', replication: 3, minInsync: 2, serviceToken: SECRETS['RIVULET_SERVICE_TOKEN'] });
  expect(config.kafkaBrokers.length).toBeGreaterThan(1);
});

test.each(APP_NAMES)('what %s may get from the Secret by name is a setting too', (app) => {
  const optional = listAt(container(app), 'env').filter((one) => at(one, 'valueFrom') !== undefined);
  expect(optional.map((one) => textAt(one, 'name'))).toEqual(['RIVULET_SERVICE_TOKEN_OTHER']);
  for (const one of optional) {
    expect(mapAt(one, 'valueFrom', 'secretKeyRef')).toEqual({ name: 'rivulet-secrets', key: textAt(one, 'name'), optional: true });
    expect(APPS[app].read({ ...environment(app), [textAt(one, 'name')]: 'n'.repeat(32) }).serviceTokenOther).toBe('n'.repeat(32));
  }
});

test.each(APP_NAMES)('the ports and probes of %s are those it listens on', (app) => {
  expect(containerPorts(app)).toEqual(APPS[app].ports(environment(app)));
  const served = files(/^libs\/service\/src\/system-routes\.ts$/)[0]?.text ?? '';
  for (const [probe, route] of [['startupProbe', '/healthz'], ['readinessProbe', '/readyz'], ['livenessProbe', '/healthz']] as const) {
    const { path: asked, port } = mapAt(container(app), probe, 'httpGet');
    expect([probe, asked, port]).toEqual([probe, route, 'http']);
    expect(served).toContain(`fastify.get('${route}'`);
  }
  const annotations = mapAt(deployment(app), 'spec', 'template', 'metadata', 'annotations');
  expect(annotations['prometheus.io/port']).toBe(String(containerPorts(app)['http']));
});

test.each(APP_NAMES)('%s gets the time its drain may take', (app) => {
  const sleepMs = Number(listAt(container(app), 'lifecycle', 'preStop', 'exec', 'command')[1]) * 1000;
  expect(sleepMs).toBeGreaterThan(0);
  expect(Number(pod(app)['terminationGracePeriodSeconds']) * 1000).toBeGreaterThanOrEqual(sleepMs + configOf(app).drainMsMax + 2_000);
});

test.each(APP_NAMES)('%s can do nothing it does not need', (app) => {
  expect(pod(app)).toMatchObject({
    // Service links would set RIVULET_FANOUT_PORT and the like, names of our own settings.
    enableServiceLinks: false, automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
  });
  expect(container(app)).toMatchObject({
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    resources: { requests: { cpu: expect.any(String), memory: expect.any(String) }, limits: { memory: expect.any(String) } },
  });
});

test('images have a version, this one, and the overlay names each of them', () => {
  const [overlay] = kustomizations.filter(({ file }) => file.startsWith(OVERLAY));
  const renamed = listAt(overlay?.content, 'images');
  expect(APP_NAMES.map((app) => container(app)['image'])).toEqual(APP_NAMES.map((app) => `rivulet/${app}:${version}`));
  expect(renamed.map((image) => [textAt(image, 'name'), textAt(image, 'newTag')])).toEqual(APP_NAMES.map((app) => [`rivulet/${app}`, version]));
});

test('every selector finds the pods it is meant for', () => {
  for (const app of APP_NAMES) {
    const own = [
      mapAt(deployment(app), 'spec', 'selector', 'matchLabels'),
      ...listAt(pod(app), 'topologySpreadConstraints').map((one) => mapAt(one, 'labelSelector', 'matchLabels')),
      ...ofKind('Service').filter((one) => nameOf(one).startsWith(`rivulet-${app}`)).map((one) => mapAt(one, 'spec', 'selector')),
      ...ofKind('PodDisruptionBudget').filter((one) => nameOf(one) === `rivulet-${app}`).map((one) => mapAt(one, 'spec', 'selector', 'matchLabels')),
    ];
    expect(own.length).toBeGreaterThanOrEqual(5);
    expect(own.map(selectedBy)).toEqual(own.map(() => [app]));
  }
  const policies = ofKind('NetworkPolicy');
  expect(policies.map((one) => selectedBy(mapAt(one, 'spec', 'podSelector', 'matchLabels')))).toEqual([[...APP_NAMES], ['allocator']]);
});

test('every Service reaches ports the pods have; the allocator\'s gRPC is headless and is the address the others are given', () => {
  const services = ofKind('Service');
  for (const service of services) {
    const [app] = selectedBy(mapAt(service, 'spec', 'selector'));
    for (const port of listAt(service, 'spec', 'ports')) {
      expect(containerPorts(app as App)[textAt(port, 'targetPort')]).toBe(at(port, 'port'));
    }
  }
  const [name, port] = (environment('ingest')['RIVULET_ALLOCATOR_GRPC_ADDRESS'] ?? '').split(':');
  const grpc = services.find((service) => nameOf(service) === name);
  expect(at(grpc, 'spec', 'clusterIP')).toBe('None');
  expect(at(grpc, 'spec', 'ports', 0, 'port')).toBe(Number(port));
});

test('autoscalers scale Deployments that name no replicas themselves; the others name theirs', () => {
  const scaled = ofKind('HorizontalPodAutoscaler').map((one) => textAt(one, 'spec', 'scaleTargetRef', 'name'));
  expect(scaled.sort()).toEqual(['rivulet-fanout', 'rivulet-ingest']);
  for (const one of deployments) {
    expect([nameOf(one), at(one, 'spec', 'replicas') === undefined]).toEqual([nameOf(one), scaled.includes(nameOf(one))]);
  }
  for (const one of ofKind('HorizontalPodAutoscaler')) {
    expect(Number(at(one, 'spec', 'minReplicas'))).toBeGreaterThan(1);
    expect(Number(at(one, 'spec', 'maxReplicas'))).toBeGreaterThan(Number(at(one, 'spec', 'minReplicas')));
  }
});

test('the Ingress routes as the proxy does, shows the whole page and keeps metrics and probes inside', () => {
  const paths = ofKind('Ingress').flatMap((one) => listAt(one, 'spec', 'rules', 0, 'http', 'paths'));
  const routes = new Map(paths.map((one) => [textAt(one, 'path'), textAt(one, 'backend', 'service', 'name')]));
  const proxy = files(/^tools\/proxy\.mjs$/)[0]?.text ?? '';
  const proxied = [...proxy.matchAll(/\['(\/[^']*)', (\w+)\]/g)].map((match) => [match[1], `rivulet-${match[2]}`]);
  expect(proxied.length).toBe(6);
  for (const [route, service] of proxied) expect([route, routes.get(route ?? '')]).toEqual([route, service]);
  for (const file of readdirSync(path.join(ROOT, 'apps/allocator/public'))) expect([file, routes.get(`/${file}`)]).toEqual([file, 'rivulet-allocator']);
  for (const inside of ['/metrics', '/readyz', '/healthz']) {
    expect(paths.filter((one) => at(one, 'pathType') === 'Prefix' && `${inside}/`.startsWith(`${textAt(one, 'path')}/`.replace('//', '/')))).toEqual([]);
    expect(routes.has(inside)).toBe(false);
  }
  for (const service of routes.values()) expect(ofKind('Service').map(nameOf)).toContain(service);
});

test('no secret is in the repository; the files they come from are ignored by git', () => {
  expect(ofKind('Secret')).toEqual([]);
  const sources = kustomizations.flatMap(({ file, content }) => listAt(content, 'secretGenerator')
    .flatMap((one) => listAt(one, 'envs').map((name) => path.join(path.dirname(file), String(name)))));
  expect(sources).toEqual([`${OVERLAY}/secrets.env`]);
  expect(execFileSync('git', ['check-ignore', ...sources], { cwd: ROOT, encoding: 'utf8' }).trim()).toBe(sources.join('\n'));
  for (const app of APP_NAMES) {
    const mounted = listAt(pod(app), 'volumes', 0, 'secret', 'items').map((one) => textAt(one, 'key'));
    expect(mounted.sort()).toEqual(Object.keys(SECRETS).sort());
  }
});

test('every file is named by a kustomization, and every file it names is there', () => {
  const isResource = ({ content }: YamlDocument): boolean => content['kind'] !== 'Kustomization';
  const named = kustomizations.flatMap(({ file, content }) => listAt(content, 'resources')
    .map((name) => path.join(path.dirname(file), String(name))).filter((name) => name.endsWith('.yaml')));
  expect([...new Set(named)].sort()).toEqual([...new Set(documents.filter(isResource).map(({ file }) => file))].sort());
});
