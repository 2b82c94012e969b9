import { eventually } from '../../../test/support/eventually';
import { PluginFolder } from '../../../test/support/plugin-folder';
import { startPluginSystem } from '../../../test/support/plugin-system';

const ANSWER = `hooks: { async receive(ctx, request, stream) { await stream.write('of this host'); } }`;

test('[PLUGIN-1] a host that is behind the log asks once for a stream that another has taken over, and waits until it has read that', async () => {
  const system = await startPluginSystem();
  const folder = new PluginFolder();
  const host = await system.addHost({ RIVULET_PLUGINS_DIR: folder.path });
  const { desk, plugins, frame } = host.built;
  folder.write('late', 'neither hooks nor');
  await eventually(() => expect(plugins.host('late')?.state).toBe('START_FAILED'));
  const lost = await system.client.open({ metadata: { plugin: 'late' }, leaseMs: 1_000 });
  lost.release();
  await eventually(async () => expect((await system.client.state(lost.streamNo)).status).toBe('lost'));
  await desk.submit({ streamNo: lost.streamNo, plugin: 'late', channel: '', input: null, by: 'test', at: Date.now() });
  await eventually(() => expect(desk.openCount).toBe(1));

  host.log.faults.isAway = true;
  const taken = await system.client.retry(lost.streamNo);
  folder.write('late', ANSWER);
  const answers = (): Promise<string> => frame.metrics.registry.getSingleMetricAsString('rivulet_plugin_answers_total');
  await eventually(async () => expect(await answers()).toContain('outcome="stopped"'));
  await taken.write('of the other');
  await taken.end();
  host.log.faults.isAway = false;

  await eventually(() => expect(desk.openCount).toBe(0));
  expect(await answers()).toMatch(/outcome="stopped".*\} 1$/m);
  expect(await system.client.watch(lost.streamNo).text()).toBe('of the other');
  await system.stop();
  folder.remove();
});
