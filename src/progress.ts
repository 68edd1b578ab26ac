import process from 'node:process';
import { SingleBar } from 'cli-progress';

export interface Progress {
  update(done: number): void;
  stop(): void;
}

/** A bar on stderr where that is a terminal; else only the last number, if any was told, so that logs stay short. */
export function showProgress(unit: string, total?: number): Progress {
  if (process.stderr.isTTY) {
    const format = total === undefined ? `{value} ${unit}` : `{bar} {value}/{total} ${unit}`;
    const bar = new SingleBar({ format, stream: process.stderr, hideCursor: true });
    bar.start(total ?? 0, 0);
    return {
      update: (done) => {
        bar.update(done);
      },
      stop: () => {
        bar.stop();
      },
    };
  }
  let last = 0;
  return {
    update: (done) => {
      last = done;
    },
    stop: () => {
      if (last > 0) process.stderr.write(`${String(last)} ${unit}\n`);
    },
  };
}
