/**
 * Archives the packages in this project's node_modules, with two workers under three limits:
 *
 *   - at most four packages are read and written at once (a semaphore),
 *   - packages of one scope, such as @types, one after the other (a mutex for each scope),
 *   - at most fifty entries a second are added to the index (a rate).
 *
 * In the end every archive is opened again, and the limits are held against what the tasks themselves saw.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp, createWorker, limited, locked, task } from 'lockkeeper';
import { packagesIn, readFiles } from './archive/folder.js';
import { contentsOf, writeArchive } from './archive/format.js';
import { addEntry, damaged, type Entry } from './archive/index-file.js';
import { Meters } from './archive/meter.js';
import { Observer } from './archive/observer.js';
import { options } from './archive/options.js';
import { limitsSeen, type Report, tell } from './archive/report.js';

// What tasks share, by name. A name that is not declared is a mutex, as those of the scopes are.
const resources = {
  storage: { capacity: 4 },
  index: { rate: '50/s' },
} as const;

const app = createApp({ resources });

/** Sees for itself how many hold what. */
const meters = new Meters();

// A function as a task: what it is called with travels, as JSON, to a worker with a free slot.
const addToIndex = app.task('add-to-index', limited('index'), (index: string, entry: Entry) =>
  meters.hold(['index'], () => addEntry(index, entry)),
);

// A method as a task, under two limits at once. While they are busy its message waits, and takes up no worker.
class Packages {
  constructor(
    readonly source: string,
    readonly target: string,
  ) {}

  @task()
  @locked('storage')
  @locked(scopeOf)
  archive(name: string) {
    return meters.hold(['storage', scopeOf(name)], () => this.#archive(name));
  }

  async #archive(name: string) {
    const folder = join(this.source, name);
    const archive = join(this.target, `${name.replace('/', '+')}.gz`);
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));

    const { files, leftOut } = await readFiles(folder);
    const written = await writeArchive(archive, files);

    const contents = contentsOf(files);
    const indexing = await addToIndex.delay(this.index, { name, version, archive, contents });
    return { name, ...contents, written, leftOut, indexing: indexing.id };
  }

  get index(): string {
    return join(this.target, 'index.jsonl');
  }
}

/** The name of a limit may depend on the arguments; null is not limited. */
function scopeOf(name: string): string | null {
  return name.startsWith('@') ? name.slice(0, name.indexOf('/')) : null;
}

/** Nothing when it was interrupted. */
async function run(packages: Packages, names: readonly string[]): Promise<Report | undefined> {
  const { archive } = app.register(packages);
  const observer = new Observer(app, archive.taskName, names.length);
  const began = performance.now();

  // Two workers; there could be more, on any machine. They run until Ctrl-C, or until the app is closed.
  const stopped = Promise.all([createWorker(app).run(), createWorker(app).run()]);

  const calls = await archive.delayMany(names.map((name) => [name]));
  const failures: string[] = [];
  const ended = calls.map(async (call, i) => {
    try {
      const archived = await call.get();
      await app.result(archived.indexing).get();
      return archived;
    } catch (error) {
      failures.push(`${names[i]} was not archived: ${error}`);
      return undefined;
    }
  });
  const results = await Promise.race([Promise.all(ended), stopped.then(() => undefined)]);
  const seconds = (performance.now() - began) / 1_000;
  await app.close();
  if (!results) return undefined;

  const archived = results.filter((result) => result !== undefined);
  failures.push(...(await damaged(packages.index, archived)));
  return { seconds, archived, failures, ...limitsSeen(resources, meters, observer) };
}

const { folder, most } = options();
const target = await mkdtemp(join(tmpdir(), 'lockkeeper-demo-'));
try {
  const report = await run(new Packages(folder, target), (await packagesIn(folder)).slice(0, most));
  process.exitCode = tell(report);
} finally {
  await rm(target, { recursive: true, force: true });
}
