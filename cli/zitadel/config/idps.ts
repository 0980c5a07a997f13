import * as z from 'zod';
import { listed } from '../../../shared/zitadel/reader.ts';
import type { ZitadelClient } from '../api/client.ts';
import { IDPS } from './kinds.ts';
import { Settings, settingsOf, type Idp, type Ids } from './model.ts';

const Provider = z.object({
  id: z.string(),
  name: z.string().default(''),
  config: z.looseObject({ options: Settings.default({}) }).prefault({}),
});

/** Identity providers of the instance. Of two of one kind and name the first counts. */
export async function readIdps(client: ZitadelClient, ids: Ids): Promise<Idp[]> {
  const path = '/admin/v1/idps/templates/_search';
  const found = await listed(client, Provider, { path, right: 'iam.idp.read' });
  const idps: Idp[] = [];
  for (const { id, name, config } of found) {
    const [member, of] = Object.entries(IDPS).find(([each]) => config[each] !== undefined) ?? [];
    if (member === undefined || of === undefined) continue;
    const key = `idp ${of.kind} ${name}`;
    if (ids.has(key)) continue;
    ids.set(key, id);
    const { options } = config;
    const settings = { ...settingsOf(Settings.parse(config[member])), providerOptions: settingsOf(options) };
    const env = `ZITADEL_IDP_${name.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_')}_SECRET`;
    idps.push({ kind: of.kind, name, settings, ...(of.secret !== undefined && { secret: { env } }) });
  }
  return idps.sort((one, other) => (`${one.kind} ${one.name}` < `${other.kind} ${other.name}` ? -1 : 1));
}
