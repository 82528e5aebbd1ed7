# Completions of crosstail for fish. The program itself says what fits.
function __crosstail_offers
    set -l words (commandline -opc) (commandline -ct)
    $words[1] complete-words -- $words[2..-1] 2>/dev/null
end
complete -c crosstail -f -a '(__crosstail_offers)'
