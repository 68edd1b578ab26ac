/** What schema.prisma says about tables, read from its text. */

export interface Column {
  readonly name: string;
  /** As the database's format_type() writes it. */
  readonly type: string;
  readonly nullable: boolean;
}

export interface Model {
  readonly table: string;
  readonly columns: readonly Column[];
}

const SCALARS: Readonly<Record<string, string>> = {
  BigInt: 'bigint',
  Boolean: 'boolean',
  Bytes: 'bytea',
  DateTime: 'timestamp(3) without time zone',
  Decimal: 'numeric(65,30)',
  Float: 'double precision',
  Int: 'integer',
  Json: 'jsonb',
  String: 'text',
};

const NATIVE: Readonly<Record<string, string>> = {
  Char: 'character',
  Date: 'date',
  Decimal: 'numeric',
  SmallInt: 'smallint',
  Text: 'text',
  Timestamptz: 'timestamp with time zone',
  Uuid: 'uuid',
  VarChar: 'character varying',
};

const BLOCK = /^(model|view|enum) (\w+) \{\n([\s\S]*?)\n\}/gm;
const FIELD = /^ {2}(\w+)\s+(Unsupported\("[^"]+"\)|\w+)(\[\])?(\?)?(.*)$/;

export function parseModels(schema: string): Model[] {
  const blocks = [...schema.matchAll(BLOCK)].map(([, kind = '', name = '', body = '']) => ({ kind, name, body }));
  const enums = new Map(
    blocks.filter(({ kind }) => kind === 'enum').map(({ name, body }) => [name, mappedName(body, '@@map') ?? name]),
  );
  return blocks
    .filter(({ kind }) => kind === 'model')
    .map(({ name, body }) => ({
      table: mappedName(body, '@@map') ?? name,
      columns: body.split('\n').flatMap((line) => parseField(line, enums) ?? []),
    }));
}

/** Undefined for what is no column: relations, block attributes, comments. */
function parseField(line: string, enums: ReadonlyMap<string, string>): Column | undefined {
  const [found, name = '', scalar = '', list, optional, attributes = ''] = FIELD.exec(line) ?? [];
  if (found === undefined) return undefined;
  const type = /^Unsupported\("(.+)"\)$/.exec(scalar)?.[1] ?? enums.get(scalar) ?? SCALARS[scalar];
  if (type === undefined) return undefined;
  return {
    name: mappedName(attributes, '@map') ?? name,
    type: `${nativeType(attributes) ?? type}${list ?? ''}`,
    nullable: optional !== undefined,
  };
}

function mappedName(text: string, attribute: string): string | undefined {
  return new RegExp(`${attribute}\\("([^"]+)"\\)`).exec(text)?.[1];
}

function nativeType(attributes: string): string | undefined {
  const [found, name = '', size] = /@db\.(\w+)(?:\(([^)]*)\))?/.exec(attributes) ?? [];
  if (found === undefined) return undefined;
  const type = NATIVE[name];
  if (type === undefined) throw new Error(`@db.${name} is not known to this reader yet`);
  // Six digits are all that the type holds, so that (6) is no restriction.
  if (size === undefined || name === 'Timestamptz') return type;
  return `${type}(${size.replaceAll(' ', '')})`;
}
