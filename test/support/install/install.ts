/** Something the tests need that is not here. */
export interface Missing {
  readonly name: string;
  readonly debianPackage: string;
  /** What may name a server instead. */
  readonly variable?: string;
}

/** What the installation asks of the machine it runs on. */
export interface Machine {
  missing(): Promise<Missing[]>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether packages come by apt-get. */
  readonly hasApt: boolean;
  readonly isRoot: boolean;
  readonly hasSudo: boolean;
  /** Asks the person in front of it, who says yes or no. Undefined when nobody is there. */
  readonly confirm: ((question: string) => Promise<boolean>) | undefined;
  /** Installs packages. Rejects, with all that was printed, when that fails. */
  install(packages: readonly string[], how: 'as root' | 'with sudo'): Promise<void>;
  say(line: string): void;
}

/**
 * Sees to it that what the tests need is here. Installs what is missing as root, or with sudo if it may; else says what
 * to do. Returns whether the tests can start.
 */
export async function installMissing(machine: Machine): Promise<boolean> {
  const missing = await machine.missing();
  if (missing.length === 0) return true;
  if (!machine.hasApt) return withoutApt(machine, missing);

  const packages = packagesOf(missing);
  const how = await permission(machine, packages);
  if (how === undefined) {
    machine.say(`The tests need ${packages.join(', ')}. Install with\n\n  ${commandFor(packages)}\n`);
    return false;
  }
  machine.say(`Installing what the tests need: ${packages.join(', ')}`);
  try {
    await machine.install(packages, how);
  } catch (error) {
    machine.say((error as Error).message);
    return false;
  }
  return nothingLeft(machine);
}

async function permission(
  { isRoot, hasSudo, confirm }: Machine,
  packages: readonly string[],
): Promise<'as root' | 'with sudo' | undefined> {
  if (isRoot) return 'as root';
  if (!hasSudo || confirm === undefined) return undefined;
  const question = `The tests need ${packages.join(', ')}. Install with sudo apt-get?`;
  return (await confirm(question)) ? 'with sudo' : undefined;
}

async function nothingLeft(machine: Machine): Promise<boolean> {
  const left = await machine.missing();
  if (left.length === 0) return true;
  machine.say(`Installed, and still missing: ${left.map(({ name }) => name).join(', ')}`);
  return false;
}

/** Elsewhere than on Debian, what has a server of one's own can do without: only the tests that break theirs fail. */
function withoutApt({ environment, say }: Machine, missing: readonly Missing[]): boolean {
  const needed = missing.filter(({ variable }) => variable === undefined || !environment[variable]);
  for (const { name, debianPackage, variable } of missing) {
    const given = variable !== undefined && Boolean(environment[variable]);
    const instead = variable === undefined ? '' : `, or set ${variable} to the URL of a server`;
    say(
      given
        ? `${name} is missing: the tests that freeze and kill it will fail, the others use ${variable}`
        : `${name} is missing: install what Debian has in ${debianPackage}${instead}`,
    );
  }
  return needed.length === 0;
}

const packagesOf = (missing: readonly Missing[]): string[] =>
  [...new Set(missing.map(({ debianPackage }) => debianPackage))].sort();

const commandFor = (packages: readonly string[]): string =>
  `sudo apt-get update && sudo apt-get install --no-install-recommends ${packages.join(' ')}`;
