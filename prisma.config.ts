import process from 'node:process';
import { defineConfig } from 'prisma/config';

// These commands look for the native schema engine, which they never run, and would download it.
const withoutEngine = ['generate', 'validate', 'format'];
if (process.argv.some((word) => withoutEngine.includes(word))) {
  process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= process.execPath;
}

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env['DATABASE_URL'] ?? 'postgresql://127.0.0.1:5432/backstop' },
});
