/** Why a value is not accepted. An answer, not an error: the caller decides what to do with it. */
export interface Refusal {
  readonly code: 'BAD_INPUT';
  /** Name of the field that is at fault. */
  readonly field: string;
  readonly message: string;
}

export function refuse(field: string, message: string): Refusal {
  return { code: 'BAD_INPUT', field, message };
}
