#!/bin/sh
# fetch-ck.sh DIR: puts ck_epoch.c and ck_hs.c of Debian's source package `ck` into DIR, edited
# where CK 0.7.1 touches a shared word plainly (README.md says why). Nothing of CK is committed
# here. The system's apt configuration is read, never changed, and no root is needed.
set -eu

version=0.7.1
dir=$(realpath -m "${1:?usage: fetch-ck.sh DIR}")
edition=$(cksum <"$0") # fetched again when this script changes
mkdir -p "${dir%/*}"
exec 9>"$dir.lock"
flock 9 # builds of several presets may want it at once
[ "$(cat "$dir/edition" 2>/dev/null)" = "$edition" ] && exit 0

echo "==> fetching the source of ck $version with apt into $dir"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p sources lists/partial cache/archives/partial

# The machine's own package sources, each asked for source packages; everything else in them,
# such as the signing key, stays as it is.
eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
for file in "$list" "$parts"/*.list "$parts"/*.sources; do
    [ -e "$file" ] || continue
    case $file in
    *.sources) sed 's/^Types:.*/Types: deb-src/' "$file" ;;
    *) sed -n '/cdrom:/d; s/^[[:space:]]*deb[[:space:]]/deb-src /p' "$file" ;;
    esac >"sources/${file##*/}"
done

private_apt() {
    apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/sources" \
        -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" \
        -o APT::Sandbox::User="$(id -un)" "$@"
}

# An unreachable source of third parties must not stop us: what counts is that ck is found.
private_apt update >log 2>&1 || true
if ! private_apt source --only-source ck >>log 2>&1 || [ ! -d "ck-$version" ]; then
    cat log >&2
    echo "fetch-ck.sh: no source package ck $version (see above)" >&2
    exit 1
fi

# edit FILE FUNCTION OLD NEW: OLD stands on exactly one line of that function.
edit() {
    found=$(sed -n "/^$2(/,/^}/p" "$1" | grep -cF -- "$3") || true
    [ "$found" = 1 ] || { echo "fetch-ck.sh: $1, $2: '$3' found $found times" >&2; exit 1; }
    old=$(printf '%s' "$3" | sed 's/[][\\.*^$/]/\\&/g')
    new=$(printf '%s' "$4" | sed 's/[\\/&]/\\&/g')
    sed -i "/^$2(/,/^}/s/$old/$new/" "$1"
}

cd "ck-$version/src"
# Another thread's scan reads these two while their owner writes them.
edit ck_epoch.c ck_epoch_poll_deferred 'record->epoch = epoch;' \
    'ck_pr_store_uint(&record->epoch, epoch);'
edit ck_epoch.c ck_epoch_unregister 'record->active = 0;' 'ck_pr_store_uint(&record->active, 0);'
edit ck_epoch.c ck_epoch_unregister 'record->epoch = 0;' 'ck_pr_store_uint(&record->epoch, 0);'
# The list of records is read while another thread registers.
edit ck_epoch.c ck_epoch_scan 'cursor = CK_STACK_FIRST(&global->records);' \
    'cursor = ck_pr_load_ptr(&global->records.head);'
edit ck_epoch.c ck_epoch_recycle 'CK_STACK_FOREACH(&global->records, cursor) {' \
    'for (cursor = ck_pr_load_ptr(&global->records.head); cursor; cursor = cursor->next) {'
# An iterator walks a map while its writer puts and removes.
edit ck_hs.c _ck_hs_next 'CK_CC_DECONST_PTR(map->entries[i->offset])' \
    'ck_pr_load_ptr(&map->entries[i->offset])'

cd "$work"
mkdir out
cp "ck-$version"/src/ck_epoch.c "ck-$version"/src/ck_hs.c "ck-$version"/src/ck_internal.h out
echo "$edition" >out/edition
rm -rf "$dir"
mv out "$dir"
