import { GraphQLError, GraphQLScalarType, Kind, type ValueNode } from 'graphql';
import { dec, isAmountText, type Decimal } from '../risk/decimal.js';

/** Resolvers answer with a Decimal, or with the decimal text that a row holds. */
export type DecimalOutput = Decimal | string;

const RFC_3339_UTC = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z$/;
const WHOLE = /^-?\d{1,19}$/;
const LARGEST = 2n ** 63n;

/** Given on as its text, which ingest and `dec` read without loss. */
export const decimalScalar = scalarOfText('Decimal', {
  parse(text) {
    if (!isAmountText(text)) {
      refuse('Decimal must be a plain decimal string of at most 20 digits before and 18 after the point');
    }
    return text;
  },
  print: (value) => (typeof value === 'string' ? dec(value) : (value as Decimal)).toFixed(),
});

export const dateTimeScalar = scalarOfText('DateTime', {
  parse(text) {
    const [, seconds = '', fraction = ''] = RFC_3339_UTC.exec(text) ?? [];
    const time = Date.parse(`${seconds}Z`);
    // A day that its month does not have is moved into the next one by the parser: its text then differs.
    if (Number.isNaN(time) || !new Date(time).toISOString().startsWith(seconds)) {
      refuse(
        'DateTime must be an RFC 3339 instant in UTC with at most six digits of a second, such as 2025-10-10T21:03:00.5Z',
      );
    }
    return `${seconds}.${fraction.padEnd(6, '0')}Z`;
  },
  print: String,
});

export const bigIntScalar = scalarOfText('BigInt', {
  parse(text) {
    if (!WHOLE.test(text) || BigInt(text) >= LARGEST || BigInt(text) < -LARGEST) {
      refuse('BigInt must be a string with a whole number of at most 64 bits');
    }
    return text;
  },
  print: String,
});

/** A JSON number has lost digits before it comes here, so only strings are taken, in literals too. */
function scalarOfText(
  name: string,
  form: { readonly parse: (text: string) => string; readonly print: (value: unknown) => string },
): GraphQLScalarType<string, string> {
  const parse = (value: unknown): string =>
    typeof value === 'string' ? form.parse(value) : refuse(`${name} must be a string`);
  return new GraphQLScalarType({
    name,
    serialize: form.print,
    parseValue: parse,
    parseLiteral: (node: ValueNode) =>
      node.kind === Kind.STRING ? parse(node.value) : refuse(`${name} must be a string`),
  });
}

/** Known by its class: what is found when a document is validated loses its code there. */
export class MalformedValue extends GraphQLError {
  constructor(message: string) {
    super(message, { extensions: { code: 'BAD_USER_INPUT' } });
  }
}

function refuse(message: string): never {
  throw new MalformedValue(message);
}
