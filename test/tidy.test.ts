import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { packageRoot } from '../src/config.js';
import { readSource, readSources } from './support/source-files.js';
import type { SourceFile } from './support/source-files.js';

const sources = readSources('src');
const tests = readSources('test');
const examples = readSources('examples');
const everything = [...sources, ...tests, ...examples, ...readSources('scripts'), ...readSources('bench')];

/** Imports point one way: each room may use the rooms named here, and itself. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  risk: [],
  db: ['risk'],
  book: ['risk', 'db'],
  ingest: ['risk', 'db', 'book'],
  engine: ['risk', 'db', 'book'],
  admin: ['risk', 'db', 'book', 'ingest'],
  explanation: ['risk', 'db'],
  demo: ['risk', 'db', 'book', 'ingest', 'engine'],
  generate: ['risk', 'db', 'ingest'],
  operations: ['db'],
  jobs: ['risk', 'db', 'book', 'ingest', 'engine', 'operations'],
  access: [],
  graphql: ['risk', 'db', 'book', 'ingest', 'engine', 'admin', 'explanation', 'jobs', 'access', 'operations'],
};
/** Files at the top that a room may use; the others wire the rooms together, and no room knows them. */
const FOUNDATIONS: Readonly<Record<string, readonly string[]>> = {
  'src/errors.ts': [
    'db',
    'book',
    'ingest',
    'engine',
    'explanation',
    'demo',
    'generate',
    'jobs',
    'access',
    'admin',
    'operations',
    'graphql',
  ],
  'src/telemetry.ts': ['db', 'book', 'ingest', 'engine', 'explanation', 'demo', 'jobs', 'graphql'],
  'src/config.ts': ['db', 'demo'],
  'src/generated/graphql.ts': ['graphql'],
};
const DATABASE_CLIENTS = /^(postgres|pg|@prisma\/.*|src\/generated\/prisma\/.*)$/;
const FLOAT_COLUMNS = 'src/book/columns.ts';
const LONGEST_FILE = 300;
/** Tables of cases run longer. */
const LONGEST_TEST = 500;

function roomOf(name: string): string | undefined {
  return /^src\/([^/]+)\//.exec(name)?.[1];
}

function found(files: readonly SourceFile[], pattern: RegExp): string[] {
  return files.flatMap(({ name, code }) =>
    code.split('\n').flatMap((line, index) => (pattern.test(line) ? [`${name}:${index + 1} ${line.trim()}`] : [])),
  );
}

const inRooms = (...rooms: string[]): SourceFile[] => sources.filter(({ name }) => rooms.includes(roomOf(name) ?? ''));
const outside = (room: string): SourceFile[] => sources.filter(({ name }) => roomOf(name) !== room);

describe('the rooms', () => {
  it('are those of the plan', () => {
    const folders = readdirSync(path.join(packageRoot, 'src'), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    const known = [...Object.keys(ROOMS), 'generated'];
    expect(folders.map(({ name }) => name).filter((name) => !known.includes(name))).toEqual([]);
  });

  it('import in one direction', () => {
    expect(sources.flatMap(wrongImports)).toEqual([]);
  });

  it('would be told of an import against it', () => {
    const text =
      "import { a } from '../engine/lap.js';\nimport { b } from '../app.js';\n// import { c } from '../jobs/d.js';\n";
    expect(wrongImports(readSource('src/book/example.ts', text))).toEqual([
      'src/book/example.ts uses src/engine/lap.ts',
      'src/book/example.ts uses src/app.ts',
    ]);
  });

  function wrongImports({ name, imports }: SourceFile): string[] {
    const room = roomOf(name);
    if (room === undefined)
      return imports.filter((target) => target === 'src/cli.ts').map((target) => `${name} uses ${target}`);
    return imports
      .filter((target) => target.startsWith('src/') && !DATABASE_CLIENTS.test(target))
      .filter((target) => {
        const other = roomOf(target);
        if (other === undefined || other === 'generated') return FOUNDATIONS[target]?.includes(room) !== true;
        return other !== room && ROOMS[room]?.includes(other) !== true;
      })
      .map((target) => `${name} uses ${target}`);
  }
});

describe('SQL', () => {
  it('is written in db alone', () => {
    const clients = outside('db').flatMap(({ name, imports }) =>
      imports.filter((target) => DATABASE_CLIENTS.test(target)).map((target) => `${name} uses ${target}`),
    );
    expect(clients).toEqual([]);
    expect(found(outside('db'), /\b(sql|tx|reader)(<[^`]*>)?`|\.unsafe\(|\$(query|execute)Raw/)).toEqual([]);
  });

  it('changes the schema in migrations alone', () => {
    const ddl = /\b(create|alter|drop)\s+(or\s+replace\s+)?(table|view|function|trigger|index|type|role|domain)\b/i;
    const record = /^src\/db\/migrate\.ts:\d+ create table if not exists _prisma_migrations \($/;
    // A password is the installation's, not the schema's.
    const password = /^src\/db\/open-database\.ts:\d+ await sql\.unsafe\(`alter role \$\{READER\} login password/;
    expect(found(sources, ddl).filter((place) => !record.test(place) && !password.test(place))).toEqual([]);
  });
});

describe('risk', () => {
  const risk = inRooms('risk');

  it('imports nothing but itself and the decimal arithmetic', () => {
    const others = risk.flatMap(({ name, imports }) =>
      imports
        .filter(
          (target) => !target.startsWith('src/risk/') && !(target === 'decimal.js' && name === 'src/risk/decimal.ts'),
        )
        .map((target) => `${name} uses ${target}`),
    );
    expect(others).toEqual([]);
  });

  it('waits for nothing, draws nothing, and reads no environment', () => {
    expect(found(risk, /\b(await|async|Promise)\b|\bMath\.random\b|\bcrypto\b|\bprocess\b|\bglobalThis\b/)).toEqual([]);
  });

  it('reads no clock, and neither do ingest and the engine: time is the database’s', () => {
    const clock = /\bDate\.now\b|\bnew Date\(\)|\bperformance\b|\bhrtime\b/;
    expect(found(inRooms('risk', 'ingest', 'engine'), clock)).toEqual([]);
  });
});

describe('examples', () => {
  it('stand alone, and run where a browser is', () => {
    const imports = examples.flatMap((example) => example.imports);
    const others = imports.filter((target) => !target.startsWith('examples/'));
    expect(imports).toContain('examples/request.ts');
    expect(new Set(others)).toEqual(new Set(['graphql-ws']));
  });
});

describe('money', () => {
  it('has one arithmetic', () => {
    const users = everything.filter(({ imports }) => imports.includes('decimal.js')).map(({ name }) => name);
    expect(users).toEqual(['src/risk/decimal.ts']);
  });

  it('is never made a float', () => {
    // Those of the columns screen beside the exact amounts, and decide nothing.
    const rooms = inRooms('risk', 'db', 'book', 'ingest', 'engine').filter(({ name }) => name !== FLOAT_COLUMNS);
    expect(found(rooms, /(?<!\.)\bNumber\(|\bparseFloat\(|\bMath\.round\b/)).toEqual([]);
  });
});

describe('files', () => {
  it('are one thought long', () => {
    const long = everything.filter(
      ({ name, text }) => text.trimEnd().split('\n').length > (name.endsWith('.test.ts') ? LONGEST_TEST : LONGEST_FILE),
    );
    expect(long.map(({ name }) => name)).toEqual([]);
  });

  it('are named after the thing they hold', () => {
    const vague = /(^|[/.-])(utils?|helpers?|common|services?|managers?|dtos?|misc|lib|index)([/.-]|$)/i;
    expect(everything.map(({ name }) => name).filter((name) => vague.test(name))).toEqual([]);
  });

  it('export by name, and only what is theirs', () => {
    expect(found(everything, /^export (default\b|\*|(type )?\{[^}]*\} from\b)/)).toEqual([]);
  });
});

describe('tests', () => {
  it('all run', () => {
    expect(found(tests, /\b(it|test|describe)\.(only|skip|todo|failing)\b|\b(fit|xit|fdescribe|xdescribe)\(/)).toEqual(
      [],
    );
  });
});
