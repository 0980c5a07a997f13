import type { FeatureRule } from '../../functions/feature-sync/changes.ts';

/** `GET /a` → feature and relation, as `{ a: 'x' }` or `{ a: 'x#manager' }`. */
export function rules(guards: Readonly<Record<string, string>>): FeatureRule[] {
  return Object.entries(guards).map(([path, guard]) => {
    const [feature = '', relation = 'viewer'] = guard.split('#');
    return {
      shape: `=${path}`,
      path: `/${path}`,
      methods: ['GET'],
      requirement: { kind: 'feature', object: `feature:${feature}`, relation },
    };
  });
}

/** The same as a rules file. */
export function rulesFile(guards: Readonly<Record<string, string>>): string {
  return JSON.stringify(
    Object.entries(guards).map(([path, guard]) => {
      const [feature, action = 'viewer'] = guard.split('#');
      return { path: `/${path}`, method: 'GET', feature, action };
    }),
  );
}
