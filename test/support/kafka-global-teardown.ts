import './kafka-global';

export default async function stopKafka(): Promise<void> {
  await globalThis.rivuletTestBroker?.stop();
}
