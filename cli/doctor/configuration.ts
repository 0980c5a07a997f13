import { VARIABLES } from '../../functions/catalogue.ts';
import { parseEnvironment } from '../../functions/configuration.ts';
import { nearestVariable, type Fault } from '../../shared/configuration/names.ts';
import { green, NotSetUp, red, worst, yellow, type Finding } from '../../shared/checks/check.ts';
import { environment } from '../terminal.ts';
import { slips } from '../variables.ts';
import { isSet, type DoctorGround } from './ground.ts';

const SHOWN = 5;

/** What only a gateway reads. Without any of them there is none to start, as where commands alone run. */
const SERVING = [
  'UPSTREAM_URL',
  'ASSERTION_KEYS',
  'FUNCTIONS',
  'ZITADEL_AUDIENCE',
  'KANIDM_AUDIENCE',
  'REDIS_URL',
  'UPSTASH_REDIS_REST_URL',
];

/** What a start on Node would refuse, and what it would warn of. */
export function configuration({ platform }: DoctorGround): Finding {
  if (!SERVING.some(isSet))
    throw new NotSetUp(
      `no gateway is configured here (none of ${SERVING.join(', ')} is set)`,
      'docs/reference/variables.md',
    );
  const parsed = parseEnvironment(environment, 'node');
  const misspelled = new Set(slips().map(({ variable }) => variable));
  const own = ({ variable }: Fault): boolean => !misspelled.has(variable);
  const texts = parsed.texts(platform);
  const faults = [...(parsed.ok ? [] : parsed.faults), ...texts].filter(own);
  if (faults.length > 0) return red(listed(faults), nextFor(faults));
  const warnings = parsed.ok ? parsed.warnings.filter(own) : [];
  if (warnings.length > 0) return yellow(listed(warnings), 'docs/reference/variables.md says what each does');
  return green('the gateway would start');
}

function listed(faults: readonly Fault[]): string {
  const lines = faults.slice(0, SHOWN).map(({ variable, problem }) => `${variable} ${problem}`);
  return [...lines, ...(faults.length > SHOWN ? [`and ${faults.length - SHOWN} more`] : [])].join('; ');
}

function nextFor(faults: readonly Fault[]): string {
  const names = [...new Set(faults.map(({ variable }) => variable))].slice(0, SHOWN);
  if (names.length === 1 && names[0] === 'ACCESS_RULES') return 'sallyport rules check';
  return `write ${names.join(', ')} (docs/reference/variables.md), then sallyport doctor --only configuration`;
}

/** A slip whose right name is not set loses its setting; beside the right one it may be another program's. */
export function misspelledVariables(): Finding {
  const found = slips().map(({ variable }) => {
    const right = nearestVariable(variable, VARIABLES) ?? '';
    const cause = `${variable} is not read: is ${right} meant?`;
    return isSet(right)
      ? yellow(cause, `remove ${variable}: ${right} is set as well`)
      : red(cause, `rename ${variable} to ${right}`);
  });
  return worst([green('every name is one that is read, or like none'), ...found], '');
}
