import type { Fault, Setting, Values } from './settings.ts';

const HTTP = '80';
const HTTPS = '443';

/** Under which address people reach Zitadel: its issuer, compared byte for byte by every client. */
export function external(values: Values): Fault[] {
  const [domain, port, secure] = ['EXTERNALDOMAIN', 'EXTERNALPORT', 'EXTERNALSECURE'].map((key) =>
    values.setting(key),
  );
  const faults = [...domainFaults(domain), ...portFaults(port), ...modeFaults(values, secure)];
  return faults.length > 0 ? faults : togetherFaults(values, { domain, port, secure });
}

function at({ file, line }: Setting, message: string): Fault {
  return { file, line, message };
}

function domainFaults(domain: Setting | undefined): Fault[] {
  if (domain === undefined || domain.value === null) return [];
  const { value, written } = domain;
  if (/^[^\s/:@]+$/.test(value) || (value === '' && domain.of === 'variable')) return [];
  return [at(domain, `${written} is a host name alone: without a scheme, a port or a path`)];
}

function portFaults(port: Setting | undefined): Fault[] {
  if (port === undefined || port.value === null) return [];
  const number = /^\d{1,5}$/.test(port.value) ? Number(port.value) : 0;
  return number >= 1 && number <= 65_535 ? [] : [at(port, `${port.written} is no port from 1 to 65535`)];
}

const MODES: Readonly<Record<string, boolean>> = { enabled: true, external: true, disabled: false };

/** --tlsMode sets ExternalSecure, whatever was configured. */
function modeFaults(values: Values, secure: Setting | undefined): Fault[] {
  const mode = values.setting('--tlsMode');
  if (mode === undefined || mode.value === null) return [];
  const sets = MODES[mode.value];
  if (sets === undefined) return [at(mode, '--tlsMode is none of enabled, external and disabled')];
  const own = values.flag('EXTERNALSECURE');
  if (secure === undefined || own === null || own === sets) return [];
  const instead = own ? 'external' : 'disabled';
  return [
    at(
      secure,
      `${secure.written} is overruled by --tlsMode ${mode.value}, which makes it ${String(sets)}: use ${instead}`,
    ),
  ];
}

interface Three {
  readonly domain: Setting | undefined;
  readonly port: Setting | undefined;
  readonly secure: Setting | undefined;
}

function togetherFaults(values: Values, { domain, port, secure }: Three): Fault[] {
  const mode = values.text('--tlsMode');
  const isSecure = mode === null ? null : (MODES[mode] ?? values.flag('EXTERNALSECURE'));
  const number = values.text('EXTERNALPORT');
  const host = values.text('EXTERNALDOMAIN');
  if (isSecure === null || number === null || host === null) return [];
  const where = `${isSecure ? 'https' : 'http'}://${host}:${number}`;
  if (port !== undefined && isSecure && number === HTTP)
    return [at(port, `${port.written} is 80 while ExternalSecure is true: Zitadel calls itself ${where}`)];
  if (port !== undefined && !isSecure && number === HTTPS)
    return [
      at(secure ?? port, `ExternalSecure is false while ExternalPort is 443: Zitadel calls itself ${where}`),
    ];
  if (domain === undefined) {
    const meant = secure !== undefined && isSecure ? secure : number === HTTPS ? port : undefined;
    return meant === undefined
      ? []
      : [at(meant, 'ExternalDomain is not set: Zitadel answers to localhost alone')];
  }
  if (port !== undefined || !isSecure || isLocal(host)) return [];
  return [
    at(
      domain,
      `ExternalPort is not set, so it is 8080, and Zitadel calls itself ${where}: behind TLS it is 443`,
    ),
  ];
}

function isLocal(host: string): boolean {
  return /(?:^|\.)localhost$/i.test(host) || /^[\d.]+$/.test(host);
}
