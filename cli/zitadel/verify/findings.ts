/** One line of what differs, or of what is worth knowing. */
export interface Finding {
  readonly check:
    | 'projections'
    | 'people'
    | 'entities'
    | 'memberships'
    | 'web keys'
    | 'domains'
    | 'login v2'
    | 'masterkey'
    | 'against';
  /** What it is about: a table, a projection, an instance. */
  readonly what: string;
  readonly expected: string;
  readonly found: string;
  /** Ids, a few of all. */
  readonly samples: readonly string[];
  /** False: worth knowing, but nothing that differs. */
  readonly fault: boolean;
}

/** Of the ids of one line. */
export const SAMPLES = 10;
