/**
 * Each script asks `director __complete WORD..` (the words after the program's name, the last one unfinished) for
 * lines of `candidate TAB description`. Where there are none, the shell completes file names.
 */
export const SCRIPTS = {
  bash: `# bash completion for director
_director() {
  local candidate
  COMPREPLY=()
  while IFS=$'\\t' read -r candidate _; do
    COMPREPLY+=("$candidate")
  done < <("\${COMP_WORDS[0]}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o bashdefault -o default -F _director director
`,
  zsh: `#compdef director
_director() {
  local line name about
  local -a candidates
  for line in "\${(@f)$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    name=\${line%%$'\\t'*} about=\${line#*$'\\t'}
    [[ -n $name ]] && candidates+=("\${name//:/\\\\:}\${about:+:$about}")
  done
  if (( \${#candidates} )); then
    _describe director candidates
  else
    _files
  fi
}
if [[ $funcstack[1] == _director ]]; then
  _director "$@"
else
  compdef _director director
fi
`,
  fish: `# fish completion for director
function __director_complete
  set -l words (commandline -opc) (commandline -ct)
  $words[1] __complete $words[2..-1] 2>/dev/null
end
complete -c director -f -a '(__director_complete)'
complete -c director -n '__fish_seen_subcommand_from check' -F
complete -c director -l config -rF
complete -c director -l socket -rF
`,
} as const;
