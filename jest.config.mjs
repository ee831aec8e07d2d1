const transform = {
  '^.+\\.[mc]?[tj]s$': [
    '@swc/jest',
    {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
      module: { type: 'commonjs' },
      sourceMaps: 'inline',
    },
  ],
};
const common = {
  rootDir: '.',
  testEnvironment: 'node',
  transform,
  // Our own sources and the few ESM-only packages are compiled to CommonJS; everything else is left alone.
  transformIgnorePatterns: [
    '/node_modules/(?!(canonicalize|chokidar|readdirp|@clack|is-unicode-supported)/)',
    '/dist/',
  ],
  moduleNameMapper: {
    // It says only how it is imported, and tests require.
    '^canonicalize$': '<rootDir>/node_modules/canonicalize/lib/canonicalize.js',
    '^millrace$': '<rootDir>/sdk/index.ts',
    '^millrace/client$': '<rootDir>/client/index.ts',
    '^millrace/worker$': '<rootDir>/workers/index.ts',
    '^millrace/testing$': '<rootDir>/testing/index.ts',
    '^millrace/debug$': '<rootDir>/debug/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '/\\.millrace/'],
};
export default {
  projects: ['unit', 'replay', 'e2e'].map((name) => ({
    ...common,
    displayName: name,
    testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
    setupFilesAfterEnv: [`<rootDir>/test/support/${name === 'unit' ? 'unit' : 'long'}-timeout.ts`],
  })),
};
