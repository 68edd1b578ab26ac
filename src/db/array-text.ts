/** One-dimensional arrays as the server writes and reads them: `{a,"b c",NULL}`. */

export type ArrayElement = string | number | bigint | boolean | Date | null;

/** Needs no quotes: what begins with a digit. A word might be NULL. */
const PLAIN = /^-?[0-9][A-Za-z0-9._:-]*$/;
const ELEMENT = /"((?:[^"\\]|\\.)*)"|([^",{}\\]+)/gs;

export function parseArray<T>(text: string, parseElement: (text: string) => T): (T | null)[] {
  // Bounds, as in `[2:3]={a,b}`, are left out.
  const inner = text.slice(text.indexOf('{') + 1, -1);
  const elements: (T | null)[] = [];
  for (const [, quoted, plain] of inner.matchAll(ELEMENT)) {
    if (quoted !== undefined) elements.push(parseElement(quoted.replace(/\\(.)/gs, '$1')));
    else if (plain === 'NULL') elements.push(null);
    else if (plain !== undefined) elements.push(parseElement(plain));
  }
  return elements;
}

export function formatArray(elements: readonly ArrayElement[]): string {
  return `{${elements.map(formatElement).join(',')}}`;
}

function formatElement(element: ArrayElement): string {
  if (element === null) return 'NULL';
  const text = element instanceof Date ? element.toISOString() : String(element);
  // Ids and numbers, which most are, stand as they are.
  if (PLAIN.test(text)) return text;
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
