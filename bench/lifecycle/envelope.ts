export const SIGNING_KEY = 'signing-key-of-the-bench';

/** A delivery of Actions v2 about a user, as the identity provider writes it. */
export function envelope(subject: string, type: string, sequence = 1): Record<string, unknown> {
  return {
    aggregateID: subject,
    aggregateType: 'user',
    resourceOwner: '280000000000000001',
    instanceID: '280000000000000000',
    version: 'v2',
    sequence,
    event_type: type,
    created_at: '2026-01-01T00:00:00.123456Z',
    userID: '280000000000000002',
    event_payload: {
      userName: `${subject}@example.org`,
      firstName: 'Given',
      lastName: 'Family',
      displayName: 'Given Family',
      preferredLanguage: 'en',
      email: `${subject}@example.org`,
      encodedHash: '$2a$14$WGt3PXYWWj8K8vGeM1gPXuZ5b8R5v1VZ1H8yqL4n5XhG4g3v3u6gS',
    },
  };
}
