import * as z from 'zod';

/** An authorization model in OpenFGA's JSON, without its id. */
export const authorizationModelSchema = z.object({
  schema_version: z.string(),
  type_definitions: z.array(
    z.looseObject({
      type: z.string(),
      relations: z.record(z.string(), z.unknown()).nullish(),
      metadata: z.unknown(),
    }),
  ),
  conditions: z.record(z.string(), z.unknown()).nullish(),
});

export type AuthorizationModel = z.output<typeof authorizationModelSchema>;

/** The models of one store; each write adds one, none is ever changed. Throws `RelationsUnavailable`. */
export interface AuthorizationModels {
  latest(): Promise<{ readonly id: string; readonly model: AuthorizationModel } | undefined>;
  /** Answers with the new model's id. */
  write(model: AuthorizationModel): Promise<string>;
}

/** The stores of one OpenFGA server. Throws `RelationsUnavailable`. */
export interface AuthorizationStores {
  /** Ids of all stores of exactly this name: OpenFGA lets several share one. */
  named(name: string): Promise<readonly string[]>;
  exists(id: string): Promise<boolean>;
  /** Answers with the new store's id. */
  create(name: string): Promise<string>;
  models(storeId: string): AuthorizationModels;
}
