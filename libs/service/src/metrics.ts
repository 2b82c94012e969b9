import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds: from a tenth of a millisecond, because an append takes about two milliseconds. */
const SECONDS_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];

/** Prometheus metrics of one process; ours begin with `rivulet_`, the rest have the field's usual names. */
export class Metrics {
  readonly registry = new Registry();
  readonly httpRequestDurationSeconds: Histogram<'method' | 'route' | 'status_code'>;

  constructor(app: string) {
    this.registry.setDefaultLabels({ app });
    collectDefaultMetrics({ register: this.registry });
    this.httpRequestDurationSeconds = new Histogram({
      name: 'http_request_duration_seconds', help: 'Time from the headers of a request to the end of its answer. Streams count until they end.',
      labelNames: ['method', 'route', 'status_code'], buckets: SECONDS_BUCKETS, registers: [this.registry],
    });
  }

  /**
   * @param name without the prefix, e.g. `appends_total`
   * @param collect brings the counter up to date when it is scraped, for totals that are kept as plain numbers
   */
  counter<L extends string = never>(
    name: string, help: string, labels: readonly L[] = [], collect?: (counter: Counter<L>) => void,
  ): Counter<L> {
    return new Counter<L>({
      name: `rivulet_${name}`, help, labelNames: [...labels], registers: [this.registry],
      ...(collect === undefined ? {} : { collect() { collect(this as unknown as Counter<L>); } }),
    });
  }

  /** @param collect sets the gauge when it is scraped */
  gauge<L extends string = never>(
    name: string, help: string, labels: readonly L[] = [], collect?: (gauge: Gauge<L>) => void,
  ): Gauge<L> {
    return new Gauge<L>({
      name: `rivulet_${name}`, help, labelNames: [...labels], registers: [this.registry],
      ...(collect === undefined ? {} : { collect() { collect(this as unknown as Gauge<L>); } }),
    });
  }

  histogram<L extends string = never>(
    name: string, help: string, labels: readonly L[] = [], buckets: readonly number[] = SECONDS_BUCKETS,
  ): Histogram<L> {
    return new Histogram({ name: `rivulet_${name}`, help, labelNames: [...labels], buckets: [...buckets], registers: [this.registry] });
  }
}
