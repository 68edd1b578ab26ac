import { describe, expect, it } from '@jest/globals';
import { refuseNode } from '../../bin/node-version.js';

describe('the version of Node', () => {
  it.each(['v20.19.0', 'v20.20.2', 'v22.12.0', 'v22.23.3', 'v24.0.0', 'v26.1.0'])('%s will do', (version) => {
    expect(refuseNode(version)).toBeUndefined();
  });

  it.each(['v16.20.2', 'v18.20.4', 'v20.18.3', 'v21.7.3', 'v22.11.0', 'v23.11.0'])(
    '%s is refused in one sentence',
    (version) => {
      expect(refuseNode(version)).toBe(
        `Backstop needs Node.js 20.19 or newer (20.19+, 22.12+, or 24 and up); this is ${version}.`,
      );
    },
  );
});
