/** Keep this file plain: it must be read by the very versions of Node that it refuses. */

/** The first release of each line that runs Backstop; lines in between the named ones do not. */
const FIRST_MINOR = { 20: 19, 22: 12 };
const NEWEST_NAMED = 24;

/** One sentence that says why this Node is refused, or undefined when it will do. */
export function refuseNode(version) {
  const [major, minor] = version
    .replace(/^v/, '')
    .split('.')
    .map((part) => Number.parseInt(part, 10));
  const first = FIRST_MINOR[major];
  if (major >= NEWEST_NAMED || (first !== undefined && minor >= first)) return undefined;
  return `Backstop needs Node.js 20.19 or newer (20.19+, 22.12+, or 24 and up); this is ${version}.`;
}
