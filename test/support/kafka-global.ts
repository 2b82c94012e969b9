import { startBroker } from './kafka-broker';
import type { Broker } from './kafka-broker';

declare global {
  // Read by kafka-global-teardown.ts, in the same process.
  var rivuletTestBroker: Broker | undefined;
}

/** jest globalSetup: one Kafka for all integration tests, named in KAFKA_BROKERS. Each test keeps to its own topic prefix. */
export default async function startKafka(): Promise<void> {
  const given = process.env['KAFKA_BROKERS'];
  if (given) {
    console.log(`\nKafka for the integration tests: ${given}, from KAFKA_BROKERS`);
    return;
  }
  const start = performance.now();
  globalThis.rivuletTestBroker = await startBroker();
  const { brokers, what } = globalThis.rivuletTestBroker;
  process.env['KAFKA_BROKERS'] = brokers;
  console.log(`\nKafka for the integration tests: ${what}, at ${brokers}, started in ${((performance.now() - start) / 1000).toFixed(1)} s`);
}
