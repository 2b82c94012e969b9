import { files } from './source-files';
import { APP_NAMES, APPS, at, durationMs, listAt, mapAt, textAt, yamlDocuments } from './yaml-files';
import type { App, Yaml } from './yaml-files';

const [base] = yamlDocuments(/^docker-compose\.yml$/).map(({ content }) => content);
const [overlay] = yamlDocuments(/^deploy\/compose\.kafka-3\.yml$/).map(({ content }) => content);
const [dockerfile] = files(/^Dockerfile$/);
const BROKERS_OF_THE_OVERLAY = ['kafka', 'kafka-2', 'kafka-3'];

/** As compose fills in: `${NAME:-default}` is the default, since a test sets nothing. */
const filledIn = (value: unknown): string => String(value).replace(/\$\{\w+:-([^}]*)\}/g, '$1');

function environment(service: string, ...composeFiles: (Yaml | undefined)[]): Record<string, string> {
  const merged = Object.assign({}, ...composeFiles.map((file) => mapAt(file, 'services', service, 'environment'))) as Yaml;
  return Object.fromEntries(Object.entries(merged).map(([name, value]) => [name, filledIn(value)]));
}

const configOf = (app: App, ...composeFiles: (Yaml | undefined)[]) => APPS[app].read(environment(app, ...composeFiles));
const VARIANTS = [['one broker', [base]], ['three brokers', [base, overlay]]] as const;

test.each(VARIANTS)('with %s every app accepts the environment compose gives it', (_, composeFiles) => {
  for (const app of APP_NAMES) {
    const { kafkaBrokers, host } = configOf(app, ...composeFiles);
    expect(host).toBe('0.0.0.0');
    expect(environment(app, ...composeFiles)['RIVULET_ALLOCATOR_GRPC_ADDRESS']).toBe(`allocator:${APPS.allocator.ports(environment('allocator', ...composeFiles)).grpc}`);
    for (const broker of kafkaBrokers) {
      const [name = '', port] = broker.split(':');
      expect(environment(name, ...composeFiles)['KAFKA_LISTENERS']).toContain(`PLAINTEXT://:${port}`);
      expect(environment(name, ...composeFiles)['KAFKA_ADVERTISED_LISTENERS']).toContain(`PLAINTEXT://${broker}`);
    }
  }
});

test.each(VARIANTS)('with %s a broker accepts the session time-out of the fanout group', (_, composeFiles) => {
  const { sessionTimeoutMs, kafkaBrokers } = configOf('fanout', ...composeFiles);
  for (const broker of kafkaBrokers) {
    const floor = environment(broker.split(':')[0] as string, ...composeFiles)['KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS'];
    expect(Number(floor)).toBeLessThanOrEqual(sessionTimeoutMs);
  }
});

test('what may be scaled has nothing that only one can have: no name, no port of the host, no volume', () => {
  for (const app of APP_NAMES) {
    for (const file of [base, overlay]) {
      expect(Object.keys(mapAt(file, 'services', app))).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(container_name|hostname|ports|volumes)$/)]));
    }
  }
});

test('a stop takes longer than the longest drain before it becomes a kill', () => {
  for (const app of APP_NAMES) {
    expect(durationMs(at(base, 'services', app, 'stop_grace_period'))).toBeGreaterThan(configOf(app, base).drainMsMax + 2_000);
  }
});

test('every service is built from a target of the Dockerfile whose health check asks its own port', () => {
  const stages = (dockerfile?.text ?? '').split(/^FROM /m).map((stage) => [/ AS (\w+)/.exec(stage)?.[1], stage] as const);
  for (const app of [...APP_NAMES, 'proxy'] as const) {
    const target = textAt(base, 'services', app, 'build', 'target');
    const stage = stages.find(([name]) => name === target)?.[1] ?? '';
    const port = app === 'proxy' ? 7100 : APPS[app].ports(environment(app, base)).http;
    expect(stage).toContain(`"http://127.0.0.1:${port}/readyz"`);
    expect(stage).toContain(`EXPOSE ${port}`);
  }
});

test('the proxy asks for services by the names they have in compose', () => {
  for (const app of APP_NAMES) {
    expect(dockerfile?.text).toContain(`"--${app}=http://${app}:${APPS[app].ports(environment(app, base)).http}"`);
  }
});

test('nobody can become more than it is, and images are pinned', () => {
  const services = { ...mapAt(base, 'services'), ...mapAt(overlay, 'services') };
  for (const app of [...APP_NAMES, 'proxy']) {
    expect(mapAt(base, 'services', app)).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
  }
  const images = Object.values(services).flatMap((service) => (at(service, 'image') === undefined ? [] : [filledIn(at(service, 'image'))]));
  expect(images.length).toBeGreaterThanOrEqual(3);
  for (const image of images) expect(image).toMatch(/:\d+\.\d+\.\d+$/);
});

test('in the overlay three brokers are one cluster that outlives any of them', () => {
  const settings = BROKERS_OF_THE_OVERLAY.map((name) => environment(name, base, overlay));
  const ids = settings.map((env) => env['KAFKA_NODE_ID']);
  expect(new Set(ids).size).toBe(3);
  const voters = BROKERS_OF_THE_OVERLAY.map((name, index) => `${ids[index]}@${name}:9093`).join(',');
  for (const env of settings) {
    expect(env).toMatchObject({
      CLUSTER_ID: settings[0]?.['CLUSTER_ID'], KAFKA_CONTROLLER_QUORUM_VOTERS: voters, KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE: 'false',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '3', KAFKA_DEFAULT_REPLICATION_FACTOR: '3', KAFKA_MIN_INSYNC_REPLICAS: '2',
    });
  }
  for (const app of APP_NAMES) {
    expect(configOf(app, base, overlay)).toMatchObject({
      replication: 3, minInsync: 2, kafkaBrokers: BROKERS_OF_THE_OVERLAY.map((name) => `${name}:9092`),
    });
  }
});

test('brokers of the overlay share neither a port of the host nor a volume, also not with the one broker of the base', () => {
  const ports = BROKERS_OF_THE_OVERLAY.flatMap((name) => [...listAt(base, 'services', name, 'ports'), ...listAt(overlay, 'services', name, 'ports')]);
  const volumes = [...listAt(base, 'services', 'kafka', 'volumes'), ...BROKERS_OF_THE_OVERLAY.flatMap((name) => listAt(overlay, 'services', name, 'volumes'))];
  expect(new Set(ports.map(filledIn)).size).toBe(3);
  expect(new Set(volumes.map((volume) => String(volume).split(':')[0])).size).toBe(4);
  for (const port of ports) expect(filledIn(port)).toMatch(/^127\.0\.0\.1:/);
});
