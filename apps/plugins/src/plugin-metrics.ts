import { ERRORS } from '@rivulet/protocol';
import type { Frame } from '@rivulet/service';
import type { PluginReports } from './plugin-reports';
import type { PluginSet } from './plugin-set';
import type { RequestDesk } from './request-desk';

/** How an answer went, as it is counted. */
export interface Answered {
  plugin: string;
  outcome: 'ended' | 'failed' | 'stopped';
  /** Of what ended it; '' of one that ended in order. */
  code: string;
}

/** What ends an answer and is no error of the protocol. */
export const ANSWER_CODES = ['CANCELLED', 'HOST_STOPPING', 'PLUGIN_TIMEOUT', 'PLUGIN_CRASHED'];
/** A plugin may throw any code: those would be series without end. */
const labelOf = (code: string): string => (code === '' || code in ERRORS || ANSWER_CODES.includes(code) ? code : 'PLUGIN_FAILED');

/** What a plugin host counts of answers. */
export class AnswerMetrics {
  private readonly answers;
  private readonly firstFragment;

  constructor({ metrics }: Frame) {
    this.answers = metrics.counter('plugin_answers_total', 'Answers by plugin, how they went, and the code of what ended them.', ['plugin', 'outcome', 'code']);
    this.firstFragment = metrics.histogram('plugin_first_fragment_seconds', 'Request → first fragment its plugin wrote.', ['plugin']);
  }

  answered({ plugin, outcome, code }: Answered): void {
    this.answers.inc({ plugin, outcome, code: labelOf(code) });
  }

  began(plugin: string, askedAt: number): void {
    // The clock is that of the host that took the request.
    this.firstFragment.observe({ plugin }, Math.max(0, Date.now() - askedAt) / 1_000);
  }
}

/** What is read off the parts of a plugin host when it is scraped. */
export function showPluginGauges({ metrics }: Frame, parts: { plugins: PluginSet; reports: PluginReports; desk: RequestDesk }): void {
  const { plugins, reports, desk } = parts;
  metrics.gauge('plugin_answers', 'Answers under way on this host, and those that wait for their turn.', ['plugin', 'state'], (gauge) => {
    gauge.reset();
    for (const { source: { name } } of plugins.all()) {
      gauge.set({ plugin: name, state: 'answering' }, plugins.turns(name).takenCount);
      gauge.set({ plugin: name, state: 'waiting' }, plugins.turns(name).waitingCount);
    }
  });
  metrics.gauge('plugin_open_requests', 'Requests in the partitions of this host that are not done.', [], (gauge) => gauge.set(desk.openCount));
  metrics.gauge('plugin_oldest_waiting_seconds', 'Age of the oldest of these that nobody has begun to answer; 0 when there is none.', [], (gauge) => {
    gauge.set(desk.oldestWaitingMs / 1_000);
  });
  metrics.gauge('plugin_running', '1 while the plugin runs on this host.', ['plugin'], (gauge) => {
    gauge.reset();
    for (const host of plugins.all()) gauge.set({ plugin: host.source.name }, host.running ? 1 : 0);
  });
  metrics.gauge('plugin_restarts', 'How often the process of a plugin ended by itself.', ['plugin'], (gauge) => {
    gauge.reset();
    for (const host of plugins.all()) gauge.set({ plugin: host.source.name }, host.restarts);
  });
  metrics.gauge('plugin_faults', '1 for each fault in the matrix of all hosts, as this host sees it.', ['host', 'plugin', 'code'], (gauge) => {
    gauge.reset();
    for (const { host, plugin, fault } of reports.rows()) if (fault) gauge.set({ host, plugin, code: fault.code }, 1);
  });
  metrics.gauge('plugin_host_report_age_seconds', 'Since the last report of each host came here.', ['host'], (gauge) => {
    gauge.reset();
    for (const [host, ageMs] of reports.agesMs()) gauge.set({ host }, ageMs / 1_000);
  });
}
