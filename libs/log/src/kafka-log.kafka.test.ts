import { openKafkaLog } from './kafka-log';
import { describeLog } from './log-suite';

describeLog('kafka', () => openKafkaLog({ brokers: process.env.KAFKA_BROKERS!.split(','), clientId: 'suite', readDeadlineMs: 5000 }));
