/** Options of every command that reads Zitadel's database; apart from its work, so that help loads nothing of it. */
export const DATABASE_OPTION = [
  '--database <url>',
  "Zitadel's own database (default: ZITADEL_DATABASE_URL)",
] as const;

export const INSTANCE_OPTION = [
  '--instance <id|domain>',
  'which instance, where the database holds several',
] as const;
