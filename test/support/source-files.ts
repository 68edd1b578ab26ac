import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/config.js';

export interface SourceFile {
  /** From the root of the package, with forward slashes: `src/risk/margin.ts`. */
  readonly name: string;
  readonly text: string;
  /** The text with comments blanked out, lines kept. */
  readonly code: string;
  /** What it imports: `src/risk/decimal.ts` for files of ours, `postgres` or `node:fs` for others. */
  readonly imports: readonly string[];
}

const IMPORT = /\b(?:from|import)\s*\(?\s*'([^']+)'/g;

/** Every TypeScript file below the folder, generated code apart. */
export function readSources(folder: string): SourceFile[] {
  const root = path.join(packageRoot, folder);
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((name) => path.posix.join(folder, name.split(path.sep).join('/')))
    .filter((name) => name.endsWith('.ts') && !name.startsWith('src/generated/'))
    .sort()
    .map((name) => readSource(name, readFileSync(path.join(packageRoot, name), 'utf8')));
}

export function readSource(name: string, text: string): SourceFile {
  const code = withoutComments(text);
  const imports = [...code.matchAll(IMPORT)].map(([, target = '']) =>
    target.startsWith('.') ? path.posix.join(path.posix.dirname(name), target).replace(/\.js$/, '.ts') : target,
  );
  return { name, text, code, imports };
}

/** Strings are stepped over, so that an address in one is not taken for a comment. */
function withoutComments(text: string): string {
  const parts = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g;
  return text.replace(parts, (part) => (part.startsWith('/') ? part.replace(/[^\n]/g, ' ') : part));
}
