import path from 'node:path';
import plugin from '@graphql-eslint/eslint-plugin';
import { ESLint, type Linter } from 'eslint';

/**
 * The manners of a contract. Of Relay's there is no rule for PageInfo, since pages go forwards only, and edges may carry what
 * has no id of its own.
 */
const RULES: Linter.RulesRecord = {
  '@graphql-eslint/naming-convention': [
    'error',
    {
      types: 'PascalCase',
      FieldDefinition: 'camelCase',
      InputValueDefinition: 'camelCase',
      DirectiveDefinition: 'camelCase',
      EnumValueDefinition: 'UPPER_CASE',
      InputObjectTypeDefinition: { requiredPattern: /(Input|Filter)$/ },
    },
  ],
  '@graphql-eslint/require-description': [
    'error',
    {
      types: true,
      rootField: true,
      FieldDefinition: true,
      InputValueDefinition: true,
      EnumValueDefinition: true,
      DirectiveDefinition: true,
    },
  ],
  '@graphql-eslint/no-hashtag-description': 'error',
  '@graphql-eslint/no-unreachable-types': 'error',
  '@graphql-eslint/no-scalar-result-type-on-mutation': 'error',
  '@graphql-eslint/require-deprecation-reason': 'error',
  '@graphql-eslint/unique-enum-value-names': 'error',
  '@graphql-eslint/input-name': ['error', { checkInputType: false }],
  '@graphql-eslint/relay-arguments': ['error', { includeBoth: false }],
  '@graphql-eslint/relay-connection-types': 'error',
  '@graphql-eslint/relay-edge-types': [
    'error',
    { withEdgeSuffix: true, shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false },
  ],
};

/** Where a contract does not keep them, each in a sentence that begins with its line. */
export async function lintSchema(file: string): Promise<string[]> {
  const linter = new ESLint({
    cwd: path.dirname(file),
    overrideConfigFile: true,
    overrideConfig: {
      files: ['**/*.graphql'],
      plugins: { '@graphql-eslint': plugin as unknown as ESLint.Plugin },
      languageOptions: { parser: plugin.parser, parserOptions: { graphQLConfig: { schema: file } } },
      rules: RULES,
    },
  });
  const results = await linter.lintFiles([file]);
  return results.flatMap(({ messages }) => messages.map(({ line, message }) => `line ${line}: ${message}`));
}
