/** The longest that a timer can be set for: 24.8 days. One for longer would go off at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Does something at an instant of this machine's clock, however far away it is. Returns what calls it off. */
export function doAt(instantMs: number, work: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const left = Math.max(0, instantMs - Date.now());
    timer = setTimeout(left > LONGEST_TIMER_MS ? arm : work, Math.min(LONGEST_TIMER_MS, left));
  };
  arm();
  return () => {
    clearTimeout(timer);
  };
}
