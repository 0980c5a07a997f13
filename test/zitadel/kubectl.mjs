#!/usr/bin/env node
/**
 * kubectl of a cluster that is a JSON file: SHIM_STATE. Scaling Zitadel to 0 ends the local process that is its session of the
 * database, as the end of its pods would. Every call is noted with its arguments.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const file = process.env.SHIM_STATE;
const state = JSON.parse(readFileSync(file, 'utf8'));
const args = process.argv.slice(2);
state.calls.push(args.join(' '));
const [verb, what = '', third = ''] = args;
const option = (name) => args.find((each) => each.startsWith(`--${name}=`))?.slice(name.length + 3);
const answer = (items) => process.stdout.write(JSON.stringify({ items }));
const save = () => writeFileSync(file, JSON.stringify(state));

if (state.refuses === verb) {
  save();
  process.stderr.write(`Error from server (Forbidden): ${verb} is forbidden\n`);
  process.exit(1);
}
if (verb === 'get' && what === 'deployments,statefulsets') {
  answer(
    state.workloads.map(({ kind, name, labels, replicas, image }) => ({
      kind,
      metadata: { name, labels },
      spec: {
        replicas,
        selector: { matchLabels: { app: name } },
        template: { spec: { containers: [{ image }] } },
      },
    })),
  );
} else if (verb === 'get' && what === 'pods') {
  const found = state.workloads.find(({ name }) => option('selector') === `app=${name}`);
  const running = Array.from({ length: found?.replicas ?? 0 }, (_, at) => ({
    metadata: { name: `${found.name}-${at}` },
    status: { phase: 'Running' },
  }));
  // A Job of the same labels, as charts have one for the set-up: its pod stays.
  answer([...running, { metadata: { name: `${found?.name}-setup` }, status: { phase: 'Succeeded' } }]);
} else if (verb === 'get' && what === 'secrets') {
  answer(state.secrets.map(({ name, data }) => ({ metadata: { name }, data })));
} else if (verb === 'scale') {
  const found = state.workloads.find(({ kind, name }) => what === `${kind.toLowerCase()}/${name}`);
  found.replicas = Number(option('replicas'));
  if (found.name === 'zitadel' && found.replicas === 0 && state.holder !== null) {
    process.kill(state.holder);
    state.holder = null;
  }
} else if (verb === 'rollout') {
  const found = state.workloads.find(({ kind, name }) => third === `${kind.toLowerCase()}/${name}`);
  if (!(found?.replicas > 0)) process.exit(1);
} else if (verb === 'apply') {
  const { metadata, data } = JSON.parse(readFileSync(0, 'utf8'));
  const others = state.secrets.filter(({ name }) => name !== metadata.name);
  const before = state.secrets.find(({ name }) => name === metadata.name);
  state.secrets = [...others, { name: metadata.name, data: { ...before?.data, ...data } }];
} else {
  process.stderr.write(`unknown: ${args.join(' ')}\n`);
  process.exitCode = 1;
}
save();
