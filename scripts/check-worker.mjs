// wrangler runs this before it bundles ([build] in wrangler.toml): the bundle gets the mail templates of config/mail/ and the names of pages' assets, and a Worker that could only answer 503 is not deployed.
import { writeTemplates } from './mail-templates.mjs';
import { writeAssetNames } from './page-assets.mjs';

writeTemplates();
writeAssetNames();
const deploys = ['deploy', 'versions upload'].includes(process.env['WRANGLER_COMMAND'] ?? '');
// For a bundle that is not deployed: tests, measurements.
if (deploys && process.env['SALLYPORT_UNCHECKED_BUNDLE'] !== '1') {
  const { register } = await import('tsx/esm/api');
  register();
  const { checkWorker } = await import('./deploy/check-worker.ts');
  process.exitCode = checkWorker() ? 0 : 1;
}
