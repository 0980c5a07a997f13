import { createHash } from 'node:crypto';

/** RFC 9562 §6.6: the namespace of URLs. */
const URL_NAMESPACE = Buffer.from('6ba7b8119dad11d180b400c04fd430c8', 'hex');

/** A role that an organisation of an issuer grants. */
export interface GrantedRole {
  /** Exactly the `iss` of its tokens. */
  readonly issuer: string;
  readonly organization: string;
  readonly role: string;
}

/**
 * The uuid of a role as a group: kanidm_tenant_groups.kanidm_group_uuid where the provider has no uuid of its own. A uuid v5
 * (RFC 9562 §5.5) of the three parts as a JSON list, so that no two triples have one text.
 */
export function groupId({ issuer, organization, role }: GrantedRole): string {
  const name = JSON.stringify([issuer, organization, role]);
  const bytes = createHash('sha1').update(URL_NAMESPACE).update(name).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
