import { KUBE } from '../../shared/configuration/operations.ts';
import { openKubectl } from '../children/kubectl.ts';
import { inPath } from '../children/programs.ts';
import { EXCHANGE_MS, isSet, partOf } from './ground.ts';

/** As in openfga/openfga:v1.18.1, also from another registry. */
const IMAGE = /(?:^|\/)openfga:v?(\d[\w.-]*)/;
const IMAGES = '--output=jsonpath={.items[*].spec.containers[*].image}';

/**
 * Versions of the OpenFGA that runs where KUBE_NAMESPACE or KUBE_CONTEXT say, by the images of its pods: no answer, field or metric of OpenFGA
 * names one. None where there is no cluster to look into. Throws Failure when kubectl fails.
 */
export async function openFgaVersions(): Promise<readonly string[]> {
  if ((!isSet('KUBE_NAMESPACE') && !isSet('KUBE_CONTEXT')) || inPath('kubectl') === undefined) return [];
  const kubectl = openKubectl(partOf(KUBE).kube);
  const images = await kubectl.run(['get', 'pods', IMAGES], { timeoutMs: EXCHANGE_MS });
  return [...new Set(images.split(/\s+/).flatMap((image) => IMAGE.exec(image)?.[1] ?? []))];
}
