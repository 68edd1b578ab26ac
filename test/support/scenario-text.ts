/** One line of a scenario and the rows of the table that may follow it. */
export interface ScenarioLine {
  /** From 1, in the scenario's text. */
  readonly number: number;
  readonly text: string;
  readonly rows: { readonly columns: readonly string[]; readonly expected: readonly string[] };
}

/** Lines that begin with `|` belong to the one above them; the first of them names columns. `#` begins a remark. */
export function parseScenario(text: string): ScenarioLine[] {
  const lines: { number: number; text: string; table: string[][] }[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/#.*$/, '').trim();
    if (line === '') continue;
    if (!line.startsWith('|')) lines.push({ number: index + 1, text: line, table: [] });
    else lines.at(-1)?.table.push(cells(line));
  }
  return lines.map(({ number, text: told, table }) => {
    const [columns = [], ...rows] = table;
    return { number, text: told, rows: { columns, expected: rows.map(joined) } };
  });
}

function cells(line: string): string[] {
  return line
    .replace(/^\||\|$/g, '')
    .split('|')
    .map((cell) => cell.trim());
}

/** As rows are compared, and shown when they differ. */
export function joined(row: readonly string[]): string {
  return row.join(' | ');
}

/** The words of a line, taken one after the other. */
export class Words {
  readonly #words: string[];

  constructor(line: string) {
    this.#words = line.split(/\s+/);
  }

  next(): string {
    const word = this.#words.shift();
    if (word === undefined) throw new Error('the line ends too early');
    return word;
  }

  isNext(word: string): boolean {
    if (this.#words[0] !== word) return false;
    this.#words.shift();
    return true;
  }

  /** The word that follows `word`, which must come now. */
  after(word: string): string {
    if (!this.isNext(word)) throw new Error(`"${word}" is missing`);
    return this.next();
  }

  /** The rest as pairs of a name and a value. Whole numbers under names that end so are counts, not amounts. */
  options(): Record<string, string | number> {
    const options: Record<string, string | number> = {};
    while (this.#words.length > 0) {
      const [name, value] = [this.next(), this.next()];
      options[name] = /(Ms|PerLap|Level)$/.test(name) ? Number.parseInt(value, 10) : value;
    }
    return options;
  }

  /** `bids 4@99 3@98` as pairs of price and size; nothing when the word is not there. */
  levels(word: string): [price: string, size: string][] {
    const levels: [string, string][] = [];
    if (!this.isNext(word)) return levels;
    while (this.#words[0]?.includes('@') === true) {
      const [size = '', price = ''] = this.next().split('@');
      levels.push([price, size]);
    }
    return levels;
  }

  end(): void {
    if (this.#words.length > 0) throw new Error(`too many words: ${this.#words.join(' ')}`);
  }
}
