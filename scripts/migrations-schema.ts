import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { format } from 'prettier';
import { startPostgres } from '../dev/postgres.ts';

/** Writes migrations/schema/current.json: what an empty database becomes by all migrations. */
const target = fileURLToPath(new URL('../migrations/schema/current.json', import.meta.url));
const command = fileURLToPath(new URL('../cli/sallyport.mjs', import.meta.url));
const run = promisify(execFile);

const postgres = await startPostgres();
const env = { ...process.env, DATABASE_URL: postgres.url };
await run(process.execPath, [command, 'db', 'migrate'], { env });
const { stdout } = await run(process.execPath, [command, 'db', 'schema'], { env });
await writeFile(target, await format(stdout, { parser: 'json', printWidth: 110 }));
await postgres.close();
console.log(`wrote ${target}`);
