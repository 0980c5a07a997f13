/** Kanidm refuses: the status and body of its answer; undefined: no body. */
export class KanidmRefused extends Error {
  override readonly name = 'KanidmRefused';
  readonly status: 400 | 401 | 403 | 404 | 409 | 415 | 422 | 500;
  readonly body: unknown;

  constructor(status: KanidmRefused['status'], body: unknown) {
    super(JSON.stringify(body));
    this.status = status;
    this.body = body;
  }
}

/** Without a body, as Kanidm refuses all that belongs to OAuth2. */
export const refusedBare = (status: KanidmRefused['status']): KanidmRefused =>
  new KanidmRefused(status, undefined);
export const denied = (): KanidmRefused => new KanidmRefused(403, 'accessdenied');
export const noEntry = (): KanidmRefused => new KanidmRefused(404, 'nomatchingentries');
export const notSignedIn = (): KanidmRefused => new KanidmRefused(401, 'notauthenticated');
export const uuidTaken = (): KanidmRefused =>
  new KanidmRefused(500, { plugin: { base: 'Uuid duplicate found in database' } });
export const memberUnknown = (): KanidmRefused =>
  new KanidmRefused(500, { plugin: { referentialintegrity: 'Uuid referenced not found in database' } });
export const badSyntax = (attribute: string): KanidmRefused =>
  new KanidmRefused(400, { schemaviolation: { invalidattributesyntax: attribute } });
export const badValue = (words: string): KanidmRefused => new KanidmRefused(400, { invalidattribute: words });
