# Follows files for crosstail, which runs this with `sh` on the other host and keeps what was read. It writes nothing there.
# Before these lines stand LIMIT (bytes of history), FIRST (1 where nothing is known), N and p1 … (patterns), and of each known
# file its inode in `all`, o_ (bytes read), l_ and h_ (length and sum of its beginning), t_ (sum of the end of what was read),
# the same with a p before it for what it was before it was truncated, and z_ for a compressed file that is done.
#
# D inode offset count length    a piece: the name, the bytes, then K or X
# K length sum sum               the piece is good: beginning and end of what was read      X    it is not
# Z inode count length           a compressed file: the name, the bytes
# T inode    it was truncated     C inode inode    the first goes on where the second was     P inode    a compressed file is done
# E length   the name of a file that may not be read     M number    nothing matches a pattern     U    all of it has been read
# L bytes length   so much of a file is left out: the name     H    it computes, and lives
# G inode    the file of a path was moved away or removed, and is not found again
LC_ALL=C
export LC_ALL
BEGINNING=512
ENDING=64
PIECE=1048576

# Sets the file system of a folder, in six digits: two have files with one inode.
devices='|'
device() {
    case $1 in */*) folder=${1%/*} ;; *) folder=. ;; esac
    case $devices in
    *"|$folder="*)
        device=${devices##*"|$folder="}
        device=${device%%"|"*}
        ;;
    *)
        # Its name and where it is mounted: how full it is changes.
        device=$(df -P -- "${folder:-/}" 2>/dev/null | tail -n 1)
        device=$(printf '%s %s' "${device%% *}" "${device##*% }" | cksum)
        device=$((${device%% *} % 1000000 + 1000000))
        device=${device#1}
        devices="$devices$folder=$device|"
        ;;
    esac
}

# Sets inode and size of a regular file.
look() {
    entry=$(ls -dinL -- "$1" 2>/dev/null) || return 1
    IFS=' '
    set -f
    # shellcheck disable=SC2086
    set -- $entry
    set +f
    IFS=
    inode=$1 size=$6
    case $2 in -*) ;; *) return 1 ;; esac
    case $inode$size in '' | *[!0-9]*) return 1 ;; esac
    inode=$inode$device
}

# Runs a command that may take long, and says every few seconds that it does. What it prints goes nowhere.
patiently() {
    (while sleep 5 </dev/null >/dev/null 2>&1; do printf 'H\n'; done) &
    beat=$!
    "$@" >/dev/null
    status=$?
    kill $beat 2>/dev/null
    wait $beat 2>/dev/null
    return $status
}

left_out() {
    printf 'L %s %s\n%s' "$2" "${#1}" "$1"
}

text() {
    case $1 in
    *.gz | *.tgz) gzip -dc <"$1" ;;
    *.bz2) bzip2 -dc <"$1" ;;
    *.xz) xz -dc <"$1" ;;
    *.zst) zstd -dcq <"$1" ;;
    *) cat <"$1" ;;
    esac 2>/dev/null
}

# Sums of the beginning, and of the end of what was read.
beginning() {
    sum=$(head -c "$2" <"$1" 2>/dev/null | cksum)
    sum=${sum%% *}
}
ending() {
    from=$(($2 > ENDING ? $2 - ENDING : 0))
    sum=$(tail -c "+$((from + 1))" <"$1" 2>/dev/null | head -c $(($2 - from)) | cksum)
    sum=${sum%% *}
}

# piece FILE INODE OFFSET COUNT: sets good.
piece() {
    printf 'D %s %s %s %s\n%s' "$2" "$3" "$4" "${#1}" "$1"
    # Always as many bytes as were said, whatever happens to the file.
    { tail -c "+$(($3 + 1))" <"$1" 2>/dev/null | head -c "$4"; head -c "$4" /dev/zero; } | head -c "$4"
    good=0
    if look "$1" && [ "$inode" = "$2" ] && [ "$size" -ge $(($3 + $4)) ]; then
        eval "length=\${l_$2:-0} known=\${h_$2:-}"
        beginning "$1" "$length"
        if [ "$length" -eq 0 ] || [ "$sum" = "$known" ]; then
            good=1
        else
            eval "changed_$2=1"
        fi
    fi
    if [ $good = 0 ]; then
        printf 'X\n'
        return
    fi
    if [ "$length" -lt $BEGINNING ]; then
        length=$((size < BEGINNING ? size : BEGINNING))
        beginning "$1" "$length"
        eval "l_$2=$length h_$2=$sum"
    fi
    ending "$1" $(($3 + $4))
    eval "o_$2=$(($3 + $4)) t_$2=$sum known=\$h_$2"
    printf 'K %s %s %s\n' "$length" "$known" "$sum"
}

# Whether a file has what was read of another one: sets other, and where that ended. Of several, the one that was read furthest.
is_copy() {
    best=0
    IFS=' '
    for one in $all; do
        IFS=
        for kind in '' p; do
            eval "length=\${${kind}l_$one:-0} known=\${${kind}h_$one:-} last=\${${kind}t_$one:-} upto=\${${kind}o_$one:-0}"
            [ "$length" -gt 0 ] && [ "$upto" -gt "$best" ] || continue
            sum=$(text "$1" | head -c "$length" | cksum)
            [ "${sum%% *}" = "$known" ] || continue
            from=$((upto > ENDING ? upto - ENDING : 0))
            sum=$(text "$1" | tail -c "+$((from + 1))" | head -c $((upto - from)) | cksum)
            [ "${sum%% *}" = "$last" ] || continue
            best=$upto other=$one of=$kind
        done
        IFS=' '
    done
    IFS=
    [ "$best" -gt 0 ] || return 1
    eval "length=\${${of}l_$other:-0} known=\${${of}h_$other:-} last=\${${of}t_$other:-} upto=$best"
}

# Sets how long the text of a compressed file is.
measure() {
    all_of_it=$(text "$1" | wc -c)
}

drain() {
    while [ "$z" -gt "$o" ]; do
        count=$((z - o))
        [ $count -gt $PIECE ] && count=$PIECE
        piece "$f" "$i" "$o" "$count"
        [ $good = 1 ] || break
        o=$((o + count)) news=1
    done
}

# A compressed file: history, or what a file that is gone had.
packed() {
    eval "seen=\${z_$i:-}"
    [ -z "$seen" ] && [ -r "$f" ] || return
    if [ "$FIRST" = 1 ]; then
        eval "z_$i=1"
        if [ "$z" -gt "$LIMIT" ]; then
            left_out "$f" "$z"
            printf 'P %s\n' "$i"
            return
        fi
        LIMIT=$((LIMIT - z))
    else
        # It may still be written.
        patiently text "$f" || return
        eval "z_$i=1"
        if patiently is_copy "$f"; then
            patiently measure "$f"
            count=$((all_of_it - upto))
            if [ $count -gt 0 ]; then
                printf 'C %s %s\n' "$i" "$other"
                printf 'D %s %s %s %s\n%s' "$i" "$upto" "$count" "${#f}" "$f"
                { text "$f" | tail -c "+$((upto + 1))" | head -c "$count"; head -c "$count" /dev/zero; } | head -c "$count"
                printf 'K %s %s %s\n' "$length" "$known" 0
                news=1
            fi
            printf 'P %s\n' "$i"
            return
        fi
    fi
    printf 'Z %s %s %s\n%s' "$i" "$z" "${#f}" "$f"
    { head -c "$z" <"$f"; head -c "$z" /dev/zero; } | head -c "$z"
    printf 'P %s\n' "$i"
    news=1
}

visit() {
    f=$1
    device "$f"
    look "$f" || return
    any=1
    i=$inode z=$size
    [ "$f" = "$p" ] && current=$i
    eval "seen=\${s_$i:-}"
    [ "$seen" = "$scan" ] && return
    eval "s_$i=$scan"
    case $f in
    *.gz | *.tgz | *.bz2 | *.xz | *.zst)
        [ $pass = new ] && packed
        return
        ;;
    esac
    eval "o=\${o_$i:-}"
    if [ -z "$o" ]; then
        [ $pass = new ] || return
        if [ ! -r "$f" ]; then
            eval "seen=\${e_$i:-}"
            [ -z "$seen" ] && printf 'E %s\n%s' "${#f}" "$f"
            eval "e_$i=1"
            return
        fi
        o=0
        if [ "$FIRST" = 1 ]; then
            if [ "$z" -gt "$LIMIT" ]; then
                o=$((z - LIMIT))
                left_out "$f" "$o"
            fi
            LIMIT=$((LIMIT - z + o))
        elif is_copy "$f"; then
            o=$upto
            printf 'C %s %s\n' "$i" "$other"
            eval "l_$i=$length h_$i=$known t_$i=$last"
        fi
        all="$all $i"
        eval "o_$i=$o"
    else
        [ $pass = known ] || return
        eval "changed=\${changed_$i:-0} twice=\${twice_$i:-0}"
        if [ "$z" -lt "$o" ] || [ "$changed" = 1 ]; then
            if [ "$twice" = 0 ]; then
                # A copy of what it was is looked for first.
                eval "twice_$i=1 po_$i=\$o_$i pl_$i=\${l_$i:-0} ph_$i=\${h_$i:-} pt_$i=\${t_$i:-}"
                return
            fi
            printf 'T %s\n' "$i"
            o=0
            eval "o_$i=0 l_$i=0 h_$i= t_$i= twice_$i=0 changed_$i=0"
        fi
    fi
    drain
}

# What a path is rotated to: `app.log.1`, `app.log-20261120`, `app-20261120.log`, `app.2026-11-20.log.gz`. What is known may be
# called anything that begins as the path does, `app1.log`.
series() {
    for file in "$p" "$p".* "$p"-*; do
        visit "$file"
    done
    case ${p##*/} in
    ?*.*) stem=${p%.*} ending=.${p##*.} ;;
    *) return ;;
    esac
    if [ $pass = known ]; then
        for file in "$stem"*; do
            visit "$file"
        done
    else
        for file in "$stem"[-._]20[0-9][0-9]*"$ending"*; do
            visit "$file"
        done
    fi
}

# Says of the file of a path that it is neither there any more nor where it would be rotated to. One that is just being renamed
# is looked for twice.
gone() {
    eval "before=\${c_$number:-} missed=\${g_$number:-}"
    if [ $pass = new ]; then
        [ -z "$before" ] && eval "c_$number=$current"
        return
    fi
    if [ -n "$before" ] && [ "$before" != "$current" ]; then
        eval "seen=\${s_$before:-}"
        if [ "$seen" != "$scan" ] && [ "$missed" != "$before" ]; then
            eval "g_$number=$before"
            return
        fi
        [ "$seen" != "$scan" ] && printf 'G %s\n' "$before"
    fi
    eval "c_$number=$current g_$number="
}

is_pattern() {
    case $p in
    *[*?[]*) [ ! -e "$p" ] ;;
    *) return 1 ;;
    esac
}

each() {
    number=1
    while [ $number -le "$N" ]; do
        eval "p=\$p$number"
        any=0 current=
        IFS=
        if [ -d "$p" ]; then
            for file in "${p%/}"/*; do
                visit "$file"
            done
        elif is_pattern; then
            # It matches here; nothing else of it is read by the shell.
            # shellcheck disable=SC2086
            for file in $p $p.* $p-*; do
                visit "$file"
            done
        else
            series
            gone
        fi
        [ $any = 1 ] && eval "found_$number=1"
        number=$((number + 1))
    done
}

# Says once of each pattern that it matches nothing.
missing() {
    number=1
    while [ $number -le "$N" ]; do
        eval "any=\${found_$number:-0}"
        [ "$any" = 0 ] && printf 'M %s\n' "$number"
        number=$((number + 1))
    done
}

main() {
    scan=0 news=1 idle=0 told=0
    while :; do
        pass=new scan=$((scan + 1))
        each
        FIRST=0
        pass=known scan=$((scan + 1))
        each
        idle=$((idle + 1))
        if [ $news = 1 ] || [ $idle -ge 8 ]; then
            [ $told = 0 ] && missing
            told=1
            printf 'U\n'
            news=0 idle=0
        fi
        sleep 0.3 2>/dev/null || sleep 1
    done
}
main </dev/null
