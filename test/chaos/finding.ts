/** One thing that is off. */
export type Finding = {
  readonly kind:
    | 'incomplete'
    | 'wrong result'
    /** A side effect, a container or a commit that happened more than once, or one number too many. */
    | 'doubled'
    | 'orphan'
    | 'lost log'
    /** Catalog and Temporal say different things. */
    | 'untrue state'
    | 'secret shown';
  readonly text: string;
};
