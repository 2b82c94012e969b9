import type { RunningRivulet } from './start-rivulet';

/** What a user of the memory log has to know before anything else. */
export function banner({ url, apiKey }: Pick<RunningRivulet, 'url' | 'apiKey'>): string {
  return `
  ┌──────────────────────────────────────────────────────────────────────────────┐
  │  Rivulet on the memory log: NOTHING IS DURABLE. All streams are gone when    │
  │  this process stops. Three ways to a real Kafka, then start again:           │
  │    1. KAFKA_BROKERS=host:9092 npm start      a Kafka you already have        │
  │    2. Docker                                 npm start then runs one in it   │
  │    3. Java 17+ and Maven                     npm start then runs one locally │
  └──────────────────────────────────────────────────────────────────────────────┘

  page    ${url}/#key=${apiKey}
  key     ${apiKey}

  Pipe text in:
    echo 'Hello, stream.' | curl -sN -T - -H 'Authorization: Bearer ${apiKey}' ${url}/v1/pipe
`;
}
