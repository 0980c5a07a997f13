import { describe, expect, it } from 'vitest';
import { ALERTS } from '../../shared/configuration/alerts.ts';
import { configure } from '../../shared/configuration/slice.ts';

const HOOK = 'https://alerts.example.org/sallyport?team=a';
const KEY = 'a-key-of-the-webhook-of-alarms';
const parsed = (raw: Readonly<Record<string, string>>) => configure(ALERTS, raw, 'node');
const faults = (raw: Readonly<Record<string, string>>) => {
  const read = parsed(raw);
  return read.ok ? [] : read.faults.map(({ variable, problem }) => `${variable} ${problem}`);
};

describe('the variables of alarms', () => {
  it('are absent by default', () => {
    expect(parsed({})).toMatchObject({
      ok: true,
      config: { alerts: { email: null, webhook: null } },
      warnings: [],
    });
  });

  it('take an address, and a webhook with its key', () => {
    const raw = {
      ALERT_EMAIL: 'oncall@example.org',
      ALERT_WEBHOOK_URL: HOOK,
      ALERT_WEBHOOK_KEY: KEY,
      MAIL_URL: 'x',
      DATABASE_URL: 'x',
    };
    expect(parsed(raw)).toMatchObject({
      config: { alerts: { email: 'oncall@example.org', webhook: { url: HOOK, key: KEY } } },
      warnings: [],
    });
    expect(parsed({ ...raw, ALERT_WEBHOOK_URL: 'http://127.0.0.1:9000/' }).ok).toBe(true);
  });

  it.each([
    [{ ALERT_WEBHOOK_URL: HOOK }, 'ALERT_WEBHOOK_KEY is missing'],
    [{ ALERT_WEBHOOK_KEY: KEY }, 'ALERT_WEBHOOK_URL is missing'],
    [
      { ALERT_WEBHOOK_URL: 'http://alerts.example.org', ALERT_WEBHOOK_KEY: KEY },
      'ALERT_WEBHOOK_URL write https',
    ],
    [{ ALERT_WEBHOOK_URL: 'https://a:b@alerts.example.org', ALERT_WEBHOOK_KEY: KEY }, 'without credentials'],
    [{ ALERT_EMAIL: 'a@example.org, b@example.org' }, 'ALERT_EMAIL write one address'],
  ])('%j: %s', (raw, fault) => {
    expect(faults(raw).join('\n')).toContain(fault);
  });

  it.each([
    [{ ALERT_EMAIL: 'oncall@example.org', DATABASE_URL: 'x' }, 'ALERT_EMAIL'],
    [{ ALERT_WEBHOOK_URL: HOOK, ALERT_WEBHOOK_KEY: 'short', DATABASE_URL: 'x' }, 'ALERT_WEBHOOK_KEY'],
    [{ ALERT_WEBHOOK_URL: HOOK, ALERT_WEBHOOK_KEY: KEY }, 'ALERT_WEBHOOK_URL'],
  ])('%j: warns of %s', (raw, variable) => {
    const read = parsed(raw);
    expect(read.ok && read.warnings.map((each) => each.variable)).toEqual([variable]);
  });
});
