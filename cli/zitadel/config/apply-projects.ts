import {
  createApiApplication,
  createOidcApplication,
  renewClientSecret,
  updateApiApplication,
  updateOidcApplication,
} from '../api/applications.ts';
import {
  addRole,
  createProject,
  updateProject,
  updateRole,
  type ProjectPlace,
  type ProjectSettings,
} from '../api/projects.ts';
import { known } from '../setup/plan.ts';
import { planOne, type Carrying, type Home } from './carrying.ts';
import type { Application, Project, Settings } from './model.ts';

export function planProjects(
  carrying: Carrying,
  home: Home,
  there: readonly Project[],
  wanted: readonly Project[],
): void {
  const { client, ids } = carrying;
  for (const project of wanted) {
    const found = there.find(({ name }) => name === project.name);
    const path = `${home.name}/${project.name}`;
    const key = `project ${path}`;
    const place = (): ProjectPlace => ({ organization: home.id(), project: known(ids.get(key), key) });
    planOne(carrying, key, found?.settings, project.settings, async () => {
      const settings = wholeProject(project.settings);
      if (found !== undefined) await updateProject(client, place(), project.name, settings);
      else ids.set(key, await createProject(client, home.id(), project.name, settings));
    });
    for (const role of project.roles) {
      const is = found?.roles.find((each) => each.key === role.key);
      planOne(carrying, `role ${role.key} of ${path}`, is, role, () =>
        is === undefined ? addRole(client, place(), role) : updateRole(client, place(), role),
      );
    }
    for (const application of project.applications)
      planApplication(
        carrying,
        path,
        place,
        found?.applications.find(({ name }) => name === application.name),
        application,
      );
  }
}

function wholeProject(settings: Settings): ProjectSettings {
  const labeling = settings['privateLabelingSetting'];
  return {
    projectRoleAssertion: settings['projectRoleAssertion'] === true,
    projectRoleCheck: settings['projectRoleCheck'] === true,
    hasProjectCheck: settings['hasProjectCheck'] === true,
    privateLabelingSetting: typeof labeling === 'string' ? labeling : 'PRIVATE_LABELING_SETTING_UNSPECIFIED',
  };
}

/** Client secrets are made anew: those of another instance are kept there as hashes. */
function planApplication(
  carrying: Carrying,
  path: string,
  place: () => ProjectPlace,
  there: Application | undefined,
  { name, kind, settings }: Application,
): void {
  const { client, ids, plan, out } = carrying;
  const key = `application ${path}/${name}`;
  const method = typeof settings['authMethodType'] === 'string' ? settings['authMethodType'] : '';
  if (there !== undefined && there.kind !== kind) {
    plan.notes.push(`${key} is there as another kind: it stays as it is`);
    return;
  }
  const variable = variableOf(path, name);
  const secret = /_(?:NONE|PRIVATE_KEY_JWT)$/.test(method) ? undefined : `${variable}_CLIENT_SECRET`;
  if (there === undefined && secret !== undefined) {
    if (out.path === null)
      plan.notes.push(`the client secret of ${key} is not kept: without --out it goes nowhere`);
    else plan.secrets.set(secret, []);
  }
  if (there !== undefined && secret !== undefined && out.path !== null && out.get(secret) === undefined) {
    if (out.pending(secret) === undefined)
      plan.notes.push(
        `the client secret of ${key} is not in ${out.path}, and Zitadel shows it once: it stays as it is; where nobody has it, make a new one in the console`,
      );
    else {
      plan.secrets.set(secret, []);
      plan.change(`client secret of ${key}`, 'that of a run that was cut off never arrived', async () => {
        const id = known(ids.get(key), key);
        await out.keep(secret, await renewClientSecret(client, place(), { id, kind }));
      });
    }
  }
  planOne(carrying, key, there?.settings, settings, async () => {
    if (there !== undefined) {
      const id = known(ids.get(key), key);
      await (kind === 'api'
        ? updateApiApplication(client, place(), id, method)
        : updateOidcApplication(client, place(), id, settings));
      return;
    }
    const made = await (kind === 'api'
      ? createApiApplication(client, place(), { name, authMethodType: method })
      : createOidcApplication(client, place(), name, settings));
    ids.set(key, made.appId);
    await out.keep(`${variable}_CLIENT_ID`, made.clientId);
    if (secret !== undefined) await out.keep(secret, made.clientSecret, made.clientId);
  });
}

/** `EXAMPLE_GATEWAY_WEB` of the application `web` of the project `Gateway` of `Example`. */
function variableOf(path: string, name: string): string {
  return `${path}/${name}`
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]+/g, '_')
    .replace(/^(?=\d)/, '_');
}
