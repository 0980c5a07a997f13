import type { Finding } from '../../shared/checks/check.ts';
import type { CheckName } from '../../shared/checks/registry.ts';
import type { MaybePromise } from '../../shared/ports/runtime.ts';
import { backups, restoreProven } from './backups.ts';
import { configuration, misspelledVariables } from './configuration.ts';
import { redis } from './counters.ts';
import { database, migrations, pooler } from './database.ts';
import { networkExposure } from './exposure.ts';
import type { DoctorGround } from './ground.ts';
import { clockSkew, introspection, issuerDiscovery, keys } from './issuers.ts';
import { loginV2 } from './login-v2.ts';
import { mail, mailQueue } from './mail.ts';
import { openfga, openfgaModel, rulesModel } from './openfga.ts';
import { alarms, cron, featureMigration } from './regular.ts';
import { failedSignIns } from './sign-ins.ts';
import { targets } from './targets.ts';
import { tls } from './tls.ts';
import { versions } from './versions.ts';
import { reconcileLag, webhookInbox, webhooks } from './webhooks.ts';
import { adminMfa, patAge, zitadelInstance, zitadelToken } from './zitadel.ts';
import { zitadelDatabase, zitadelDatabaseSessions } from './zitadel-database.ts';

/** The work of each check. Each opens what it needs and closes it. */
export const CHECKS: Readonly<Record<CheckName, (ground: DoctorGround) => MaybePromise<Finding>>> = {
  configuration,
  keys,
  openfga,
  'rules-model': rulesModel,
  redis,
  database,
  targets,
  'webhook-inbox': webhookInbox,
  'mail-queue': mailQueue,
  'feature-migration': featureMigration,
  'misspelled-variables': misspelledVariables,
  'issuer-discovery': issuerDiscovery,
  'clock-skew': clockSkew,
  introspection,
  'openfga-model': openfgaModel,
  migrations,
  pooler,
  mail,
  webhooks,
  'reconcile-lag': reconcileLag,
  cron,
  alarms,
  'zitadel-token': zitadelToken,
  'login-v2': loginV2,
  'zitadel-instance': zitadelInstance,
  'zitadel-database': zitadelDatabase,
  'zitadel-database-sessions': zitadelDatabaseSessions,
  tls,
  'pat-age': patAge,
  'admin-mfa': adminMfa,
  'network-exposure': networkExposure,
  backups,
  'restore-proven': restoreProven,
  versions,
  'failed-sign-ins': failedSignIns,
};
