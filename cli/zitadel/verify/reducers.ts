/**
 * Which events each projection reduces, as far as it takes to see whether it is behind: only types that every release with this
 * projection reduces. `*` at the end stands for any rest. By the name without its number.
 */
export const REDUCES: Readonly<Record<string, readonly string[]>> = {
  actions: [
    'action.added',
    'action.changed',
    'action.deactivated',
    'action.reactivated',
    'action.removed',
    'org.removed',
  ],
  apps: [
    ...['project.application.added', 'project.application.changed', 'project.application.deactivated'],
    ...['project.application.reactivated', 'project.application.removed', 'project.removed', 'org.removed'],
    ...['project.application.config.api.added', 'project.application.config.api.changed'],
    ...['project.application.config.oidc.added', 'project.application.config.oidc.changed'],
    ...['project.application.config.saml.added', 'project.application.config.saml.changed'],
  ],
  auth_requests: ['auth_request.added', 'auth_request.failed', 'auth_request.succeeded'],
  authn_keys: [
    'user.machine.key.added',
    'user.machine.key.removed',
    'user.removed',
    'org.removed',
    'project.removed',
  ],
  custom_texts: ['org.customtext.*', 'instance.customtext.*', 'org.removed'],
  device_auth_requests: [
    'device.authorization.added',
    'device.authorization.approved',
    'device.authorization.canceled',
  ],
  domain_policies: ['org.policy.domain.*', 'instance.policy.domain.*', 'org.removed'],
  executions: ['execution.v2.set', 'execution.v2.removed'],
  idp_login_policy_links: [
    ...[
      'org.policy.login.idpprovider.*',
      'instance.policy.login.idpprovider.*',
      'org.policy.login.removed',
      'org.removed',
    ],
  ],
  idp_templates: ['instance.idp.*', 'org.idp.*', 'org.removed'],
  idp_user_links: [
    'user.human.externalidp.added',
    'user.human.externalidp.removed',
    'user.removed',
    'org.removed',
  ],
  instance_domains: ['instance.domain.added', 'instance.domain.primary.set', 'instance.domain.removed'],
  instance_features: ['feature.instance.*'],
  instance_members: ['instance.member.*', 'user.removed'],
  instances: [
    ...['instance.added', 'instance.changed', 'instance.default.org.set', 'instance.iam.project.set'],
    ...['instance.iam.console.set', 'instance.default.language.set'],
  ],
  label_policies: ['org.policy.label.*', 'instance.policy.label.*', 'org.removed'],
  lockout_policies: ['org.policy.lockout.*', 'instance.policy.lockout.*', 'org.removed'],
  login_names: [
    ...[
      'user.human.added',
      'user.human.selfregistered',
      'user.machine.added',
      'user.username.changed',
      'user.domain.claimed',
    ],
    ...[
      'user.removed',
      'org.policy.domain.*',
      'org.domain.verified',
      'org.domain.primary.set',
      'org.domain.removed',
    ],
    ...['org.removed', 'instance.policy.domain.*'],
  ],
  login_policies: [
    ...['org.policy.login.added', 'org.policy.login.changed', 'org.policy.login.removed', 'org.removed'],
    ...['instance.policy.login.added', 'instance.policy.login.changed'],
    ...['org.policy.login.multifactor.*', 'instance.policy.login.multifactor.*'],
    ...['org.policy.login.secondfactor.*', 'instance.policy.login.secondfactor.*'],
  ],
  mail_templates: ['org.mail.template.*', 'instance.mail.template.*', 'org.removed'],
  message_texts: ['org.customtext.*', 'instance.customtext.*', 'org.removed'],
  notification_policies: ['org.policy.notification.*', 'instance.policy.notification.*', 'org.removed'],
  oidc_settings: ['instance.oidc.settings.added', 'instance.oidc.settings.changed'],
  org_domains: [
    'org.domain.added',
    'org.domain.verified',
    'org.domain.primary.set',
    'org.domain.removed',
    'org.removed',
  ],
  org_members: ['org.member.*', 'user.removed', 'org.removed'],
  org_metadata: ['org.metadata.*', 'org.removed'],
  orgs: [
    'org.added',
    'org.changed',
    'org.deactivated',
    'org.reactivated',
    'org.removed',
    'org.domain.primary.set',
  ],
  password_age_policies: ['org.policy.password.age.*', 'instance.policy.password.age.*', 'org.removed'],
  password_complexity_policies: [
    ...['org.policy.password.complexity.*', 'instance.policy.password.complexity.*', 'org.removed'],
  ],
  personal_access_tokens: ['user.pat.added', 'user.pat.removed', 'user.removed', 'org.removed'],
  privacy_policies: ['org.policy.privacy.*', 'instance.policy.privacy.*', 'org.removed'],
  project_grant_members: ['project.grant.member.*', 'user.removed', 'project.removed', 'org.removed'],
  project_grants: [
    'project.grant.added',
    'project.grant.changed',
    'project.grant.removed',
    'project.removed',
    'org.removed',
  ],
  project_members: ['project.member.*', 'user.removed', 'project.removed', 'org.removed'],
  project_roles: [
    'project.role.added',
    'project.role.changed',
    'project.role.removed',
    'project.removed',
    'org.removed',
  ],
  projects: [
    ...[
      'project.added',
      'project.changed',
      'project.deactivated',
      'project.reactivated',
      'project.removed',
      'org.removed',
    ],
  ],
  secret_generators: ['instance.secret.generator.*'],
  sessions: [
    ...[
      'session.added',
      'session.user.checked',
      'session.password.checked',
      'session.token.set',
      'session.metadata.set',
    ],
    ...['session.lifetime.set', 'session.terminated', 'user.human.password.changed'],
  ],
  sms_configs: ['instance.sms.config.*'],
  smtp_configs: ['instance.smtp.config.*'],
  targets: ['target.added', 'target.changed', 'target.removed'],
  user_grants: [
    'user.grant.added',
    'user.grant.changed',
    'user.grant.removed',
    'user.removed',
    'org.removed',
  ],
  user_metadata: ['user.metadata.*', 'user.removed', 'org.removed'],
  users: [
    ...[
      'user.human.added',
      'user.human.selfregistered',
      'user.machine.added',
      'user.machine.changed',
      'user.removed',
    ],
    ...['user.username.changed', 'user.domain.claimed', 'user.locked', 'user.unlocked', 'user.deactivated'],
    ...[
      'user.reactivated',
      'user.human.email.changed',
      'user.human.email.verified',
      'user.human.phone.changed',
    ],
    ...['user.human.phone.removed', 'user.human.phone.verified', 'user.human.profile.changed', 'org.removed'],
    ...['user.human.password.changed', 'user.human.initialization.code.added'],
  ],
  web_keys: ['web_key.added', 'web_key.activated', 'web_key.deactivated', 'web_key.removed'],
};

export function reduces(patterns: readonly string[], type: string): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern,
  );
}
