'use strict';
// Three groups: `unit` needs nothing; `conformance` runs the rules against a system on the memory log;
// `integration` needs a real Kafka, which test/support/kafka-global.ts starts once and names in KAFKA_BROKERS.
const base = {
  testEnvironment: 'node',
  transform: {
    '^.+\\.ts$': ['@swc/jest', {
      jsc: { target: 'es2022', parser: { syntax: 'typescript', decorators: true }, transform: { legacyDecorator: true, decoratorMetadata: true } },
      module: { type: 'commonjs' },
    }],
  },
  moduleNameMapper: { '^@rivulet/(protocol|log|service|client|plugin-sdk)$': '<rootDir>/libs/$1/src/index.ts', '^@rivulet/client/([a-z-]+)$': '<rootDir>/libs/client/src/$1.ts',
    // A dynamic import in a source names the file it will be; jest runs the source.
    '^(\\./(?:send|receive)-file)\\.js$': '$1', '^@rivulet/(allocator|ingest|fanout|plugins|standalone)$': '<rootDir>/apps/$1/src/index.ts' },
  modulePathIgnorePatterns: ['/dist/', '/.nx/', '/.rivulet/'],
};
module.exports = {
  // Only what hangs takes this long. Waits within a test end earlier, and say what they waited for (test/support/eventually.ts).
  testTimeout: 240_000,
  projects: [
    { ...base, displayName: 'unit', rootDir: __dirname, testMatch: ['<rootDir>/libs/*/src/**/*.test.ts', '<rootDir>/apps/*/src/**/*.test.ts', '<rootDir>/plugins/*/src/**/*.test.ts', '<rootDir>/tools/*.test.ts', '<rootDir>/test/repo/**/*.test.ts', '<rootDir>/test/support/**/*.test.ts', '<rootDir>/test/sim/**/*.test.ts', '<rootDir>/test/chaos/**/*.test.ts'], testPathIgnorePatterns: ['\\.kafka\\.test\\.ts$'] },
    { ...base, displayName: 'conformance', rootDir: __dirname, testMatch: ['<rootDir>/test/conformance/**/*.test.ts'] },
    { ...base, displayName: 'integration', rootDir: __dirname, testMatch: ['<rootDir>/libs/*/src/**/*.kafka.test.ts', '<rootDir>/test/integrity/**/*.test.ts', '<rootDir>/test/issues/**/*.test.ts'], globalSetup: '<rootDir>/test/support/kafka-global.ts', globalTeardown: '<rootDir>/test/support/kafka-global-teardown.ts' },
  ],
};
