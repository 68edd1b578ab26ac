import { destination, pino, stdTimeFunctions } from 'pino';
import type { DestinationStream, Logger } from 'pino';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type Log = Logger;

/** JSON lines on stderr; stdout belongs to the answers of commands. Written at once, so a crash loses none. */
export function createLog(level: LogLevel, stream: DestinationStream = destination({ dest: 2, sync: true })): Log {
  return pino({ level, timestamp: stdTimeFunctions.isoTime, base: { pid: process.pid } }, stream);
}
