import { functionsOn } from '../../functions/catalogue.ts';
import { compileRules } from '../../functions/gateway/match/rules/compile.ts';
import { readModel } from '../../functions/gateway/match/rules/model.ts';
import { modelFile } from '../../functions/gateway/match/rules/model.ts';
import { OPENFGA } from '../../shared/configuration/stores.ts';
import { green, NotSetUp, red, yellow, type Finding } from '../../shared/checks/check.ts';
import { openAuthorization, type Authorization } from '../../shared/deps.ts';
import { ownPaths } from '../../shared/edge/function.ts';
import { RelationsRefused, RelationsUnavailable } from '../../shared/errors.ts';
import { askableOf } from '../../shared/ports/authorization-models.ts';
import { canonicalModel } from '../fga/bootstrap.ts';
import { knownTargets, readRules } from '../rules/source.ts';
import { environment } from '../terminal.ts';
import { demand, partOf, type DoctorGround } from './ground.ts';

function opened(
  ground: DoctorGround,
): Authorization & { readonly host: string; readonly storeId: string; readonly pinned: string | null } {
  demand('OPENFGA_URL', 'OPENFGA_STORE_ID');
  const config = partOf(OPENFGA);
  const { url, storeId, modelId } = config.openfga;
  return { ...openAuthorization(config, ground), host: new URL(url).host, storeId, pinned: modelId };
}

/** OpenFGA's reasons by what an operator does about them. */
function refused(error: unknown, host: string, storeId: string): Finding {
  if (!(error instanceof RelationsUnavailable)) throw error;
  const { message } = error;
  if (/ 40[13]\b/.test(message))
    return red(
      `${host} refuses the token: ${message}`,
      'set OPENFGA_API_TOKEN to a key that OpenFGA was started with',
    );
  if (/store_id_not_found| 404\b/.test(message))
    return red(
      `${host} has no store ${storeId}: ${message}`,
      'sallyport fga bootstrap, and write the OPENFGA_STORE_ID that it prints',
    );
  if (error instanceof RelationsRefused) return red(message);
  return red(
    `failed to connect to OpenFGA at ${host} (OPENFGA_URL): ${message}`,
    `curl -sS ${host}/healthz from the gateway's own network`,
  );
}

export async function openfga(ground: DoctorGround): Promise<Finding> {
  const { relations, host, storeId } = opened(ground);
  try {
    await relations.ping();
  } catch (error) {
    return refused(error, host, storeId);
  }
  return green(`${host} answers, with store ${storeId}`);
}

export async function openfgaModel(ground: DoctorGround): Promise<Finding> {
  const { models, host, storeId, pinned } = opened(ground);
  try {
    const [served, latest] = await Promise.all([models.served(), models.latest()]);
    if (served === undefined) return red(`store ${storeId} has no model`);
    const file = readModel(modelFile(environment['OPENFGA_MODEL']?.trim() || undefined), ground.platform);
    const wanted = file === undefined ? undefined : ground.platform.parseModel?.(file.text);
    if (file !== undefined && wanted !== undefined && canonicalModel(wanted) !== canonicalModel(served.model))
      return yellow(
        `model ${served.id} is not that of ${file.path}`,
        pinned === null
          ? 'sallyport fga bootstrap'
          : 'sallyport fga bootstrap, and write the OPENFGA_MODEL_ID that it prints',
      );
    if (pinned !== null && latest !== undefined && latest.id !== pinned)
      return yellow(
        `OPENFGA_MODEL_ID pins ${pinned}; the store has a newer one, ${latest.id}`,
        'sallyport fga bootstrap --check',
      );
    return green(`model ${served.id} of store ${storeId}`);
  } catch (error) {
    const found = refused(error, host, storeId);
    return pinned !== null && /authorization_model_not_found/.test(found.cause)
      ? red(
          `store ${storeId} has no model ${pinned}, which OPENFGA_MODEL_ID pins`,
          'sallyport fga bootstrap, and write the OPENFGA_MODEL_ID that it prints',
        )
      : found;
  }
}

/** As `rules check --store`. */
export async function rulesModel(ground: DoctorGround): Promise<Finding> {
  const { models, host, storeId } = opened(ground);
  const { name, text } = await readRules(undefined, environment);
  let served: Awaited<ReturnType<typeof models.served>>;
  try {
    served = await models.served();
  } catch (error) {
    return refused(error, host, storeId);
  }
  if (served === undefined) throw new NotSetUp(`store ${storeId} has no model`, 'sallyport fga bootstrap');
  const { targets } = knownTargets(environment);
  const model = { name: `model ${served.id}`, askable: askableOf(served.model) };
  const compilation = compileRules(text, { targets, own: ownPaths(functionsOn(environment)), model });
  if (compilation.ok) return green(`${name} asks for nothing that model ${served.id} lacks`);
  const [first, ...more] = compilation.findings.filter(({ severity }) => severity === 'error');
  const where = first === undefined ? '' : `${name}:${first.line}:${first.column}: ${first.message}`;
  return red(`${where}${more.length > 0 ? ` (and ${more.length} more)` : ''}`);
}
