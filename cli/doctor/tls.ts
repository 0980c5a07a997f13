import { green, NotSetUp, red, worst, yellow, type Finding } from '../../shared/checks/check.ts';
import { judgeCertificate } from '../../shared/checks/expiry.ts';
import { tlsAddresses } from '../../shared/checks/tls-addresses.ts';
import { environment } from '../terminal.ts';
import { reachOf } from './exposure.ts';
import { EXCHANGE_MS, whyUnreached, type DoctorGround } from './ground.ts';

/** Every address of the variables: with TLS its certificate, without it whether others can listen on the way. */
export async function tls({ platform, clock }: DoctorGround): Promise<Finding> {
  const { encrypted, clear } = tlsAddresses(environment);
  const { certificate } = platform;
  if (encrypted.length + clear.length === 0 || certificate === null)
    throw new NotSetUp('no address is configured');
  const found = await Promise.all([
    ...encrypted.map(async ({ variables, address }): Promise<Finding> => {
      const shown = `${address.host}:${address.port} (${variables.join(', ')})`;
      try {
        return judgeCertificate(shown, await certificate(address, EXCHANGE_MS), clock.now());
      } catch (error) {
        return yellow(
          `${shown}: no certificate could be read, ${whyUnreached(error)}`,
          'run the doctor where the address can be reached',
        );
      }
    }),
    ...clear.map(async ({ variables, host, remedy }): Promise<Finding> => {
      if ((await reachOf(host)) !== 'everywhere')
        return green('what is not encrypted stays on private addresses');
      return red(`${variables.join(', ')} leads to ${host} without TLS`, `${remedy} ${variables.join(', ')}`);
    }),
  ]);
  return worst(found, '');
}
