import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import type { DynamicModule, INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload } from '@nestjs/microservices';
import type { LogBatch } from './log';
import { freshTopic, Gatherer, plain } from './log-suite';
import { MemoryLog } from './memory-log';
import { LogBatchServer } from './nest-batch-server';

/** What an app does, and a list of what it was asked. */
class App {
  readonly asked: string[] = [];
  readonly gatherer = new Gatherer();
  startAt: (partition: number) => Promise<number> = async () => 0;
  onBatch: (batch: LogBatch) => Promise<void> = async () => undefined;

  note(what: string): void {
    this.asked.push(what);
    this.gatherer.handlers.onJump({ expected: 0, start: 0, end: 0 });
  }

  until(what: string, times = 1): Promise<void> {
    return this.gatherer.until(() => this.asked.filter((asked) => asked === what).length >= times);
  }
}

function moduleOf(app: App): DynamicModule {
  @Controller()
  class Partitions {
    @EventPattern('partition.assigned')
    assigned(@Payload() { partition }: { partition: number }): Promise<number> {
      app.note(`assigned ${partition}`);
      return app.startAt(partition);
    }

    @EventPattern('partition.revoked')
    revoked(@Payload() { partition }: { partition: number }): void {
      app.note(`revoked ${partition}`);
    }

    @EventPattern('fragments')
    async fragments(@Payload() batch: LogBatch): Promise<void> {
      await app.onBatch(batch);
      for (const record of batch.records) app.note(`${batch.partition}: ${String(record.value)}`);
    }
  }
  @Module({})
  class Root {}
  return { module: Root, controllers: [Partitions] };
}

const running: INestMicroservice[] = [];
afterEach(() => Promise.all(running.splice(0).map((service) => service.close())));

async function start(log: MemoryLog, topic: string, app: App): Promise<LogBatchServer> {
  const join = { groupId: `${topic}.group`, topic, sessionTimeoutMs: 3000, heartbeatMs: 300 };
  const strategy = new LogBatchServer({ log, join });
  const service = await NestFactory.createMicroservice(moduleOf(app), { strategy, logger: false });
  await service.listen();
  running.push(service);
  return strategy;
}

async function fill(log: MemoryLog, topic: string, partition: number, ...values: string[]): Promise<void> {
  const appender = log.appender(plain(topic));
  for (const value of values) await appender.append(partition, value, value.length);
  await appender.close();
}

test('[OWN-1] each partition starts where the app says, and no record is fetched before it said so', async () => {
  const log = new MemoryLog();
  const topic = await freshTopic(log, 2);
  await fill(log, topic, 0, 'a0', 'a1', 'a2');
  await fill(log, topic, 1, 'b0', 'b1');
  const app = new App();
  let release!: () => void;
  const restored = new Promise<void>((resolve) => (release = resolve));
  app.startAt = async (partition) => {
    if (partition === 1) await restored;
    return partition === 0 ? 2 : 1;
  };
  const server = await start(log, topic, app);
  await app.until('0: a2');
  expect(app.asked.filter((asked) => asked.startsWith('1:'))).toEqual([]);
  release();
  await app.until('1: b1');
  expect(app.asked).not.toContain('0: a1');
  expect(app.asked).not.toContain('1: b0');
  expect(server.partitions().sort()).toEqual([0, 1]);
});

test('a batch is awaited before the next of its partition; other partitions go on', async () => {
  const log = new MemoryLog();
  const topic = await freshTopic(log, 2);
  const app = new App();
  let release!: () => void;
  const gate = new Promise<void>((resolve) => (release = resolve));
  app.onBatch = ({ partition }) => (partition === 0 ? gate : Promise.resolve());
  await start(log, topic, app);
  await fill(log, topic, 0, 'slow0');
  await fill(log, topic, 0, 'slow1');
  await fill(log, topic, 1, 'quick');
  await app.until('1: quick');
  expect(app.asked).not.toContain('0: slow0');
  release();
  await app.until('0: slow1');
});

test('a handler that fails makes the app fold afresh: revoked, then assigned, nothing skipped', async () => {
  const log = new MemoryLog();
  const topic = await freshTopic(log, 1);
  const app = new App();
  let failures = 1;
  app.onBatch = async () => { if (failures-- > 0) throw new Error('the fold failed'); };
  await start(log, topic, app);
  await fill(log, topic, 0, 'a');
  await app.until('0: a');
  expect(app.asked).toEqual(['assigned 0', 'revoked 0', 'assigned 0', '0: a']);
});

test('[OWN-5] when the log lost what comes next, the app is asked again where to start', async () => {
  const log = new MemoryLog();
  const topic = await freshTopic(log, 1);
  await fill(log, topic, 0, 'a', 'b', 'c');
  log.truncate(topic, 0, 2);
  const app = new App();
  let starts = 0;
  app.startAt = async () => (starts++ === 0 ? 0 : 2);
  await start(log, topic, app);
  await app.until('0: c');
  expect(app.asked).toEqual(['assigned 0', 'revoked 0', 'assigned 0', '0: c']);
});

test('[OWN-1] a second instance takes over what is its share; closing one gives all to the other', async () => {
  const log = new MemoryLog();
  const topic = await freshTopic(log, 2);
  const [first, second] = [new App(), new App()];
  await start(log, topic, first);
  await first.until('assigned 1');
  const other = await start(log, topic, second);
  await first.gatherer.until(() => first.asked.some((asked) => asked.startsWith('revoked')));
  await second.gatherer.until(() => second.asked.length === 1);
  const given = other.partitions()[0];
  await fill(log, topic, given!, 'to the second');
  await second.until(`${given}: to the second`);
  await running.pop()!.close();
  expect(second.asked).toContain(`revoked ${given}`);
  await first.until(`assigned ${given}`, 2);
  expect(first.asked).not.toContain(`${given}: to the second`);
});

test('a start without the three handlers fails and names them', async () => {
  const log = new MemoryLog();
  const topic = await freshTopic(log, 1);
  const join = { groupId: 'g', topic, sessionTimeoutMs: 3000, heartbeatMs: 300 };
  const errors: unknown[] = [];
  new LogBatchServer({ log, join }).listen((error) => errors.push(error));
  expect(String(errors[0])).toContain('partition.assigned, partition.revoked, fragments');
});
