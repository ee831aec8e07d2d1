/** Compiles only where the two types are the same, optional and readonly fields included. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
export const holds = <_T extends true>(): void => undefined;
