/** One import of a source file. */
export interface Import {
  /** What is imported, as written; undefined when a dynamic import computes it. */
  readonly specifier: string | undefined;
  /** Gone after compilation, loaded with the file, or loaded when the code gets there. */
  readonly kind: 'type' | 'value' | 'dynamic';
}

const comment = /\/\*[\s\S]*?\*\/|\/\/.*/;
const regExp = /(?<=(?:[=(,:!&|?[]|\breturn)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//;
const text = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`/;
const opaque = new RegExp(`(?<skipped>${comment.source}|${regExp.source})|${text.source}`, 'g');

const declaration =
  /\b(?:import|export)\s+(?<type>type\s+(?!from\b))?(?:[\w$\s{},*]+?\s*from\s*)?"(?<text>\d+)"/g;
const required = /\brequire\s*\(\s*"(?<text>\d+)"/g;
const dynamic = /(?<![.#\w$])import\s*\(\s*(?:"(?<text>\d+)"\s*[,)])?/g;

/**
 * The imports of a TypeScript file.
 *
 * This reads text, not syntax: first everything that could only look like an import is taken out (comments, regular
 * expressions, the insides of strings, each replaced by its number), then what is left is searched.
 *
 * `import { type A }` counts as a value: under `verbatimModuleSyntax` it still loads the module. A type written as
 * `import('x').A` cannot be told from a dynamic import and counts as one.
 */
export function importsOf(source: string): Import[] {
  const texts: string[] = [];
  const code = source.replace(opaque, (match, ...rest) => {
    const { skipped } = rest.at(-1) as { skipped?: string };
    return skipped === undefined ? `"${texts.push(match) - 1}"` : ' ';
  });

  const find = (pattern: RegExp, kindOf: (groups: Record<string, string | undefined>) => Import['kind']) =>
    Array.from(code.matchAll(pattern), ({ groups = {} }): Import => {
      return { specifier: literal(texts[Number(groups.text)]), kind: kindOf(groups) };
    });

  return [
    ...find(declaration, ({ type }) => (type === undefined ? 'value' : 'type')),
    ...find(required, () => 'value'),
    ...find(dynamic, () => 'dynamic'),
  ];
}

/** The text between the quotes; a template that has something filled in is not a literal. */
function literal(quoted: string | undefined): string | undefined {
  if (quoted === undefined || (quoted.startsWith('`') && quoted.includes('${'))) return undefined;
  return quoted.slice(1, -1);
}
