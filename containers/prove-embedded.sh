#!/bin/bash
# Runs the steps of the embedded image's recipe in an empty Debian 12, without a container engine, then uses what came
# out: as an ordinary user, with no network. Needs root, debootstrap and unshare; takes some minutes and 2 GB.
#     sudo containers/prove-embedded.sh [FOLDER]      (FOLDER is made, and removed at the end unless KEEP=1)
set -euo pipefail
project=$(cd "$(dirname "$0")/.." && pwd)
root=${1:-$(mktemp --directory)/root}
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$project/pipeline/graytrace/__init__.py")

[ -x "$root/bin/sh" ] || debootstrap --variant=minbase bookworm "$root" > /dev/null
cleanup() {
    umount --lazy "$root/proc" "$root/dev" 2> /dev/null || true
    [ "${KEEP:-0}" = 1 ] || rm -rf --one-file-system "$root"
}
trap cleanup EXIT
mount --types proc proc "$root/proc"
mount --rbind --make-rslave /dev "$root/dev"
cp /etc/resolv.conf "$root/etc/resolv.conf"
certificates=()
if [ -n "${PIP_CERT:-}" ]; then # a site whose network has certificates of its own
    install "$PIP_CERT" "$root/etc/site-certificates.crt"
    certificates=(PIP_CERT=/etc/site-certificates.crt)
fi

echo "== what the recipe copies and runs"
source=$root/opt/graytrace/source
mkdir -p "$source/requirements" "$source/containers"
cp "$project/requirements/runtime.txt" "$source/requirements/"
cp "$project/containers/images.yaml" "$source/containers/"
for name in pyproject.toml README.md LICENSE config.yaml Snakefile profiles pipeline; do
    cp -r "$project/$name" "$source/"
done
find "$source" -name __pycache__ -type d -prune -exec rm -rf {} +
install "$project/containers/install-graytrace.sh" "$root/opt/graytrace/install-graytrace.sh"
chroot "$root" /usr/bin/env --ignore-environment PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "${certificates[@]}" \
    /opt/graytrace/install-graytrace.sh

echo "== the image's command, as user 1000 and without a network"
inside() {
    unshare --net chroot --userspec=1000:1000 "$root" /usr/bin/env --ignore-environment HOME=/tmp \
        PATH=/opt/graytrace/venv/bin:/usr/bin:/bin PYTHONSAFEPATH=1 NUMBA_CACHE_DIR=/tmp/numba \
        MPLCONFIGDIR=/tmp/matplotlib GRAYTRACE_VERSION="$version" "$@"
}
inside graytrace --version
inside graytrace phantom /tmp/phantoms --patients 1 --voxel-mm 3
scan=$(cd "$root" && ls tmp/phantoms/sub-*/ses-BL/anat/*_T1w.nii.gz)
record=/tmp/out/records/sub-P01/ses-BL
inside graytrace inspect --participant P01 --visit BL --t1w "/$scan" --record $record/inspect.json
inside graytrace skull_strip --participant P01 --visit BL --t1w "/$scan" --inspect $record/inspect.json \
    --record $record/skull_strip.json
grep --quiet '"status": "ok"' "$root$record/skull_strip.json"
if inside env GRAYTRACE_VERSION=0.0.0 graytrace scan_table --config '{}' 2> "$root/tmp/refused"; then
    echo "another version was not refused" >&2
    exit 1
fi
grep --quiet "0.0.0" "$root/tmp/refused"
echo "The recipe's steps work: Graytrace $version, $(du -sh --one-file-system "$root" | cut -f1) with Debian."
