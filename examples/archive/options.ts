import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const help = `Archives the packages in this project's node_modules, under limits.

  npm run demo -- [options]

  --packages N   only the first N packages
  --from FOLDER  the packages in another folder
  --help         show this`;

/** What the demo was called with. Ends the process when it was asked for help. */
export function options(): { folder: string; most: number } {
  const { values } = parseArgs({
    options: { packages: { type: 'string' }, from: { type: 'string' }, help: { type: 'boolean' } },
  });
  if (values.help) {
    console.log(help);
    process.exit();
  }
  const most = Number(values.packages ?? Number.POSITIVE_INFINITY);
  if (!(most >= 1)) throw new Error(`Expected --packages to be a number from 1 up, got ${values.packages}`);
  return { folder: values.from ?? fileURLToPath(new URL('../../node_modules', import.meta.url)), most };
}
