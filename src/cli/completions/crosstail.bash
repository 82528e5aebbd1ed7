# Completions of crosstail for bash. The program itself says what fits.
_crosstail() {
    local line="${COMP_LINE:0:COMP_POINT}" word words=() offer after
    # The words as the program gets them: bash breaks them at ':', '=' and '>'.
    read -ra words <<< "$line"
    case "$line" in
        *' ') words+=("") ;;
    esac
    word="${words[${#words[@]} - 1]}"
    # What stands before the last break is already there.
    after="${word##*[:=<>|&(@]}"
    COMPREPLY=()
    while IFS=$'\t' read -r offer _; do
        offer="${offer#"${word%"$after"}"}"
        case "$offer" in
            *[[:space:]\'\"\(\)\&\;\|\<\>\*\$\\]*) offer="$(printf '%q' "$offer")" ;;
        esac
        COMPREPLY+=("$offer")
    done < <("${words[0]}" complete-words -- "${words[@]:1}" 2>/dev/null)
    case "${COMPREPLY[0]:-}" in
        *[:=\<\>./]) compopt -o nospace ;;
    esac
}
complete -o nosort -F _crosstail crosstail
