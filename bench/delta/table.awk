# The table of one pair from results.tsv, smallest first, and what ours is against the best peer of each kind.
$1 == pair { n++; name[n] = $2; bytes[n] = $3; requests[n] = $4; scpu[n] = $5; srss[n] = $6; ccpu[n] = $7; crss[n] = $8; note[n] = $9 }
function kind(i) {
    if (name[i] ~ /^(ostree|xdelta3|bsdiff|zstd --patch)/) return "patch"
    if (name[i] ~ /^(rauc|casync|desync|zchunk)/) return "chunks"
    return name[i] ~ /^full/ ? "full" : ""
}
END {
    printf "%s\n%-30s %14s %9s %10s %10s %10s %10s  %s\n", pair, "technique", "bytes", "requests", "server s", "server MiB", "client s", "client MiB", ""
    for (i = 1; i <= n; i++) order[i] = i
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && value(order[j]) < value(order[j - 1]); j--) { t = order[j]; order[j] = order[j - 1]; order[j - 1] = t }
    for (j = 1; j <= n; j++) {
        i = order[j]
        printf "%-30s %14s %9s %10s %10s %10s %10s  %s\n", name[i], bytes[i], requests[i], scpu[i], srss[i], ccpu[i], crss[i], note[i]
        k = kind(i)
        if (k != "" && bytes[i] ~ /^[0-9]/ && (!(k in best) || bytes[i] + 0 < bytes[best[k]] + 0)) best[k] = i
    }
    split("patch chunks full", kinds, " ")
    for (j = 1; j <= 3; j++)
        for (i = 1; i <= n; i++)
            if (name[i] ~ "^ours " kinds[j] && bytes[i] ~ /^[0-9]/ && (kinds[j] in best))
                printf "%s / %s = %.3f\n", name[i], name[best[kinds[j]]], bytes[i] / bytes[best[kinds[j]]]
}
function value(i) { return bytes[i] ~ /^[0-9]/ ? bytes[i] + 0 : 1e18 }
