import { randomUUID } from 'node:crypto';
import os from 'node:os';
import type { Actor } from './db/record-audit.js';

/** Who runs a command: entitled by access to the machine. */
export function hostActor(): Actor {
  return { subject: `cli/${userName()}@${os.hostname()}`, scopes: ['cli'], requestId: randomUUID() };
}

/** In a container the user may have no name. */
function userName(): string {
  try {
    return os.userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
