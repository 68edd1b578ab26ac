import { TextDecoder } from 'node:util';
import { BackstopError } from '../errors.js';

/** Far above a depth line of two thousand levels; what is longer is no line but a file without line ends. */
const LONGEST_LINE = 1024 * 1024;

/** Parsed lines of NDJSON; empty lines are undefined, so that counting stays with the file. */
export async function* readBookLines(source: AsyncIterable<Uint8Array | string>): AsyncGenerator {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  let index = 0;
  for await (const chunk of source) {
    const parts = (rest + (typeof chunk === 'string' ? chunk : decode(decoder, chunk, index))).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) yield parseLine(line, index++);
    if (rest.length > LONGEST_LINE) parseLine(rest, index);
  }
  rest += decode(decoder, undefined, index);
  if (rest !== '') yield parseLine(rest, index);
}

function parseLine(line: string, rowIndex: number): unknown {
  if (line.length > LONGEST_LINE)
    throw new BackstopError('BAD_INPUT', `longer than ${LONGEST_LINE} characters`, { rowIndex });
  if (line.trim() === '') return undefined;
  try {
    return JSON.parse(line) as unknown;
  } catch (error) {
    throw new BackstopError('BAD_INPUT', 'is no JSON', { rowIndex, cause: error });
  }
}

function decode(decoder: TextDecoder, chunk: Uint8Array | undefined, rowIndex: number): string {
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
  } catch (error) {
    throw new BackstopError('BAD_INPUT', 'or one soon after it: no UTF-8', { rowIndex, cause: error });
  }
}
