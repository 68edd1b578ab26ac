/** Largest relative error of one rounding to a double. */
export const ROUNDING = 2 ** -53;
/** The step of the money grid, a little enlarged: what rounding or truncating to it may change. */
export const GRID_STEP = 1.1e-18;
/** A figure less certain than this, as a part of it, is made exactly at once: one wild one would blur all its neighbours. */
export const LARGEST_ERROR = 1e-9;
