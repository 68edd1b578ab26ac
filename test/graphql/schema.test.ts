import { describe, expect, it } from '@jest/globals';
import {
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isSpecifiedScalarType,
  type GraphQLNamedType,
} from 'graphql';
import { ERROR_CODES } from '../../src/errors.js';
import { loadSchema } from '../../src/graphql/schema.js';

const schema = loadSchema();
const types = Object.values(schema.getTypeMap()).filter(
  (type) => !type.name.startsWith('__') && !isSpecifiedScalarType(type),
);

interface Described {
  readonly place: string;
  readonly description: string | null | undefined;
}

function partsOf(type: GraphQLNamedType): Described[] {
  const own = { place: type.name, description: type.description };
  if (isEnumType(type)) {
    return [own, ...type.getValues().map(({ name, description }) => ({ place: `${type.name}.${name}`, description }))];
  }
  if (isInputObjectType(type)) {
    return [
      own,
      ...Object.values(type.getFields()).map(({ name, description }) => ({
        place: `${type.name}.${name}`,
        description,
      })),
    ];
  }
  if (!isObjectType(type) && !isInterfaceType(type)) return [own];
  const fields = Object.values(type.getFields()).flatMap(({ name, description, args }) => [
    { place: `${type.name}.${name}`, description },
    ...args.map((arg) => ({ place: `${type.name}.${name}(${arg.name})`, description: arg.description })),
  ]);
  return [own, ...fields];
}

describe('the contract', () => {
  const parts = types.flatMap(partsOf);

  it('describes every type, field, argument and value in a sentence', () => {
    expect(parts.length).toBeGreaterThan(500);
    expect(
      parts.filter(({ description }) => !/[.…:]$/.test(description?.trim() ?? '')).map(({ place }) => place),
    ).toEqual([]);
  });

  it('says what null means wherever a field may be null', () => {
    const nullable = types.flatMap((type) =>
      isObjectType(type) && !type.name.endsWith('Payload')
        ? Object.values(type.getFields())
            .filter((field) => !String(field.type).endsWith('!'))
            .map((field) => ({
              place: `${type.name}.${field.name}`,
              text: `${field.description ?? ''} ${type.description ?? ''}`,
            }))
        : [],
    );
    expect(nullable.filter(({ text }) => !/null|unknown/i.test(text)).map(({ place }) => place)).toEqual([]);
  });

  it('knows every code that a refusal can have', () => {
    const codes = schema.getType('UserErrorCode');
    expect(isEnumType(codes) && codes.getValues().map(({ name }) => name)).toEqual(Object.keys(ERROR_CODES));
  });

  it('tells who may read what also to those who see no directives', () => {
    const market = schema.getType('Market');
    const fields = isObjectType(market) ? market.getFields() : {};
    expect(schema.getType('JobRun')?.description).toBe('One recorded round of a job. Access: READ_RISK, READ_AUDIT.');
    expect(fields['liquidations']?.description).toBe('Its liquidations, newest first. Access: READ_RISK.');
    expect(fields['symbol']?.description).toBe("The exchange's id.");
  });

  it('has no number in which money could lose digits', () => {
    expect(Object.keys(schema.getTypeMap())).not.toContain('Float');
  });
});
