/** Whose figures: all of them, or those of one tenant. Every reader takes one. */
export type Scope = 'all' | { readonly tenantId: string };

/** Stands for all tenants, or all waves, in tables of figures. */
export const NIL = '00000000-0000-0000-0000-000000000000';

export function scopeId(scope: Scope): string {
  return scope === 'all' ? NIL : scope.tenantId;
}
