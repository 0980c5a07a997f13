/** Values of one position: files, a list of words, or any text. */
export type Values = 'files' | 'any' | readonly string[];

export interface CompletedOption {
  /** `--json`, and `-j` where there is one. */
  readonly names: readonly string[];
  readonly description: string;
  /** Undefined: it takes no value. */
  readonly value: Values | undefined;
}

/** One command of the tree, with everything that may follow it. */
export interface CompletedCommand {
  /** Without the program's name; empty for the program itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletedOption[];
  /** In order. */
  readonly args: readonly Values[];
}

type Tree = readonly CompletedCommand[];

/**
 * Each script embeds the whole tree, so that a TAB starts no process. It walks the words before the cursor: `where` is the
 * command they lead to, `at` the number of arguments after it. `path` would be PATH itself in zsh.
 */
export function bashScript(tree: Tree): string {
  return `# Completion of sallyport for bash: eval "$(sallyport completion bash)"
${tables(tree, (words) => `REPLY=${quoted(words.map(({ name }) => name).join(' '))}`)}
_sallyport_fill() {
  local word
  case $1 in
    any) ;;
    files)
      compopt -o filenames 2>/dev/null
      while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$2")
      ;;
    *) while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$1" -- "$2") ;;
  esac
}
_sallyport() {
  local REPLY word where='' at=0 i cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  # --rules=x comes as three words.
  if [[ $cur == '=' ]]; then cur=''; elif [[ $prev == '=' ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == '=' ]]; then
      i=$((i + 1))
    elif [[ $word == -?* ]]; then
      if _sallyport_option "$where|$word" && [[ \${COMP_WORDS[i+1]} != -?* && \${COMP_WORDS[i+1]} != '=' ]]; then i=$((i + 1)); fi
    else
      _sallyport_commands "$where"
      if [[ " $REPLY " == *" $word "* ]]; then where="\${where:+$where }$word" at=0; else at=$((at + 1)); fi
    fi
  done
  if [[ $cur == -* ]]; then
    _sallyport_flags "$where"
    _sallyport_fill "$REPLY" "$cur"
  elif _sallyport_option "$where|$prev"; then
    _sallyport_fill "$REPLY" "$cur"
  else
    _sallyport_commands "$where"
    if [[ -z $REPLY ]]; then _sallyport_argument "$where|$at"; fi
    _sallyport_fill "\${REPLY:-any}" "$cur"
  fi
}
complete -F _sallyport sallyport`;
}

export function zshScript(tree: Tree): string {
  const described = ({ name, description }: Described): string =>
    quoted(`${name}:${description.replaceAll('\\', '\\\\').replaceAll(':', '\\:')}`);
  return `#compdef sallyport
# Completion of sallyport for zsh: eval "$(sallyport completion zsh)", after compinit
${tables(tree, (words) => `reply=(${words.map(described).join(' ')})`)}
_sallyport_fill() {
  case $1 in
    any) _message value ;;
    files) _files ;;
    *) compadd -- \${=1} ;;
  esac
}
_sallyport() {
  local REPLY word where='' cur=$words[CURRENT]
  local -a reply names
  local -i at=0 i
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    if [[ $word == -?* ]]; then
      if _sallyport_option "$where|$word" && [[ $words[i+1] != -?* ]]; then ((i++)); fi
    else
      _sallyport_commands "$where"
      names=(\${reply%%:*})
      if (( \${names[(Ie)$word]} )); then where="\${where:+$where }$word" at=0; else at=$((at + 1)); fi
    fi
  done
  if [[ $cur == --*=* ]]; then
    _sallyport_option "$where|\${cur%%=*}" && compset -P '*=' && _sallyport_fill "$REPLY"
  elif [[ $cur == -* ]]; then
    _sallyport_flags "$where"
    _describe -o option reply
  elif _sallyport_option "$where|$words[CURRENT-1]"; then
    _sallyport_fill "$REPLY"
  else
    _sallyport_commands "$where"
    if (( $#reply )); then
      _describe command reply
    else
      REPLY=any
      _sallyport_argument "$where|$at"
      _sallyport_fill "$REPLY"
    fi
  fi
}
if [[ $funcstack[1] == _sallyport ]]; then _sallyport "$@"; else compdef _sallyport sallyport; fi`;
}

export function fishScript(tree: Tree): string {
  const commands = tree.filter((each) => each.commands.length > 0);
  const valued = tree.flatMap((each) =>
    each.options.flatMap((option) => (option.value === undefined ? [] : keysOf(each, option))),
  );
  return `# Completion of sallyport for fish: sallyport completion fish | source
function __sallyport_commands
    switch $argv[1]
${commands.map(({ path, commands: below }) => `        case ${quoted(path)}\n            string split ' ' ${quoted(below.map(({ name }) => name).join(' '))}`).join('\n')}
    end
end
function __sallyport_at
    set -l where ''
    set -l at 0
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if string match -qr -- '^-.' $word
            set skip 0
            contains -- "$where|$word" ${valued.map(quoted).join(' ')}; and set skip 1
        else if test $skip = 1
            set skip 0
        else if contains -- $word (__sallyport_commands $where)
            set where (string trim "$where $word")
            set at 0
        else
            set at (math $at + 1)
        end
    end
    test "$where" = "$argv[1]"; and begin; test (count $argv) -lt 2; or test "$argv[2]" = $at; end
end
complete -c sallyport -f
${tree.flatMap(fishLines).join('\n')}`;
}

function fishLines({ path, commands, options, args }: CompletedCommand): string[] {
  const at = (...more: readonly (string | number)[]): string =>
    `complete -c sallyport -n ${quoted(['__sallyport_at', `"${path}"`, ...more].join(' '))}`;
  return [
    ...commands.map(({ name, description }) => `${at()} -a ${quoted(name)} -d ${quoted(description)}`),
    ...options.map(({ names, description, value }) => {
      const flags = names.map((name) =>
        name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
      );
      return `${at()} ${flags.join(' ')} -d ${quoted(description)}${value === undefined ? '' : ` -r ${fishValues(value)}`}`;
    }),
    ...args.flatMap((values, index) => (values === 'any' ? [] : [`${at(index)} ${fishValues(values)}`])),
  ];
}

function fishValues(values: Values): string {
  if (values === 'files') return '-F';
  return values === 'any' ? '-f' : `-f -a ${quoted(values.join(' '))}`;
}

interface Described {
  readonly name: string;
  readonly description: string;
}

/** The tree as shell functions of case statements, for bash and zsh. `list`: how words are returned. */
function tables(tree: Tree, list: (words: readonly Described[]) => string): string {
  const values = (kind: Values): string =>
    `REPLY=${quoted(typeof kind === 'string' ? kind : kind.join(' '))}`;
  const valued = tree.flatMap((each) =>
    each.options.flatMap((option) =>
      option.value === undefined ? [] : [entry(keysOf(each, option), values(option.value))],
    ),
  );
  const args = tree.flatMap(({ path, args: all }) =>
    all.map((kind, index) => entry([`${path}|${index}`], values(kind))),
  );
  const flags = tree.map(({ path, options }) =>
    entry(
      [path],
      list(
        options.flatMap(({ names, description }) => names.slice(0, 1).map((name) => ({ name, description }))),
      ),
    ),
  );
  const commands = tree
    .filter((each) => each.commands.length > 0)
    .map(({ path, commands: below }) => entry([path], list(below)));
  return [
    table('commands', commands, list([])),
    table('flags', flags, list([])),
    table('option', valued, 'return 1'),
    table('argument', args, 'return 1'),
  ].join('\n');
}

function keysOf({ path }: CompletedCommand, { names }: CompletedOption): string[] {
  return names.map((name) => `${path}|${name}`);
}

function entry(keys: readonly string[], then: string): string {
  return `    ${keys.map(quoted).join(' | ')}) ${then} ;;`;
}

function table(name: string, entries: readonly string[], otherwise: string): string {
  return `_sallyport_${name}() {\n  case $1 in\n${entries.join('\n')}\n    *) ${otherwise} ;;\n  esac\n}`;
}

/** In single quotes of a POSIX shell, and of fish, which alone treats a backslash within them as an escape. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
