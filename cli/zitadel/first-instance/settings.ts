/** Where something stands. */
export interface Place {
  /** As it was named, or beside the file that names it. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** What will fail, or come out otherwise than it reads. Never with a password or the masterkey. */
export interface Fault extends Place {
  readonly message: string;
}

/** One setting of Zitadel. */
export interface Setting extends Place {
  /** As a variable without ZITADEL_; `--tlsMode` and `--masterkeyFromEnv` as they are. */
  readonly key: string;
  /** As it stands there: ZITADEL_EXTERNALDOMAIN, ExternalDomain, --externalDomain. */
  readonly written: string;
  /** Null: it comes from elsewhere, such as a Secret. */
  readonly value: string | null;
  /** Names that the value is made of and that have none. */
  readonly missing: readonly string[];
  readonly of: 'variable' | 'file' | 'flag';
}

export interface Found {
  /** A later one wins over an earlier one of its key. */
  readonly settings: readonly Setting[];
  readonly faults: readonly Fault[];
  /** What was not looked at. */
  readonly notes: readonly string[];
  /** Whether Zitadel is there, whatever is set. */
  readonly isZitadel?: boolean;
  /** Whether a file is no YAML, so that what it sets is not known. */
  readonly isBroken?: boolean;
}

export function together(parts: readonly Found[]): Found {
  return {
    isZitadel: parts.some(({ isZitadel }) => isZitadel === true),
    isBroken: parts.some(({ isBroken }) => isBroken === true),
    settings: parts.flatMap(({ settings }) => settings),
    faults: parts.flatMap(({ faults }) => faults),
    notes: parts.flatMap(({ notes }) => notes),
  };
}

/** What Zitadel has where nothing is set. */
const DEFAULTS: Readonly<Record<string, string>> = {
  EXTERNALDOMAIN: 'localhost',
  EXTERNALPORT: '8080',
  EXTERNALSECURE: 'true',
  FIRSTINSTANCE_ORG_NAME: 'ZITADEL',
  FIRSTINSTANCE_ORG_HUMAN_USERNAME: 'zitadel-admin',
  FIRSTINSTANCE_ORG_HUMAN_EMAIL_VERIFIED: 'true',
  FIRSTINSTANCE_ORG_HUMAN_PASSWORD: 'Password1!',
  DEFAULTINSTANCE_PASSWORDCOMPLEXITYPOLICY_MINLENGTH: '8',
  DEFAULTINSTANCE_PASSWORDCOMPLEXITYPOLICY_HASLOWERCASE: 'true',
  DEFAULTINSTANCE_PASSWORDCOMPLEXITYPOLICY_HASUPPERCASE: 'true',
  DEFAULTINSTANCE_PASSWORDCOMPLEXITYPOLICY_HASNUMBER: 'true',
  DEFAULTINSTANCE_PASSWORDCOMPLEXITYPOLICY_HASSYMBOL: 'true',
};

/** Go's strconv.ParseBool; empty is false. */
const TRUE = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const FALSE = ['', '0', 'f', 'F', 'FALSE', 'false', 'False'];

/** Settings as Zitadel comes to see them: flags over variables over files over its defaults. */
export class Values {
  readonly #settings: ReadonlyMap<string, Setting>;

  constructor(settings: readonly Setting[]) {
    const rank = ['file', 'variable', 'flag'];
    // An empty variable counts as none.
    const set = settings.filter(({ of, value }) => of !== 'variable' || value !== '');
    const inOrder = set.toSorted((a, b) => rank.indexOf(a.of) - rank.indexOf(b.of));
    this.#settings = new Map(inOrder.map((setting) => [setting.key, setting]));
  }

  /** Undefined where nothing in force sets it. */
  setting(key: string): Setting | undefined {
    const found = this.#settings.get(key);
    return found?.of === 'file' && this.#isHidden(key) ? undefined : found;
  }

  /** Null where the value comes from elsewhere. */
  text(key: string): string | null {
    const setting = this.setting(key);
    if (setting !== undefined) return setting.value;
    return this.#isHidden(key) ? '' : (DEFAULTS[key] ?? '');
  }

  /** Null too where it is neither true nor false. */
  flag(key: string): boolean | null {
    const text = this.text(key);
    if (text === null) return null;
    return TRUE.includes(text) ? true : FALSE.includes(text) ? false : null;
  }

  all(): readonly Setting[] {
    return [...this.#settings.values()];
  }

  /** A variable of a group hides files and defaults of what is below it, though not other variables. */
  #isHidden(key: string): boolean {
    const parts = key.split('_');
    return parts.some(
      (_, at) => at > 0 && this.#settings.get(parts.slice(0, at).join('_'))?.of === 'variable',
    );
  }
}
