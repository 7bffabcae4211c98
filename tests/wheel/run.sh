#!/usr/bin/env bash
# A wheel in an empty environment, outside of the checkout: a phantom study by `graytrace run` gives the same bytes as by
# `snakemake` in a clone. Takes some minutes and 2 GB of disk for the environment.
set -euo pipefail
cd "$(dirname "$0")/../.."
project=$PWD
python=$(cd "$(dirname "${PYTHON_OF_TESTS:-.venv/bin/python}")" && pwd)/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --wheel-dir "$work/dist" .
"$python" -m venv "$work/venv"
installed="$work/venv/bin/python -m pip install --quiet --disable-pip-version-check"
$installed --require-hashes -r requirements/runtime.txt
$installed --no-deps --no-index "$work"/dist/graytrace-*.whl

mkdir "$work/elsewhere"
cd "$work/elsewhere"
"$work/venv/bin/graytrace" phantom "$work/bids" --patients 1 --voxel-mm 2 > "$work/phantom.log"
# one name for both, because run.json tells the configuration
printf 'study:\n  bids_dir: %s\n  output_dir: %s\n' "$work/bids" "$work/out" > "$work/my.yaml"

git -c advice.detachedHead=false clone --quiet "$project" "$work/clone"
(cd "$project" && git ls-files --cached --others --exclude-standard -z | xargs -0 tar -cf -) | tar -xf - -C "$work/clone"
(cd "$work/clone" && "$python" -m snakemake --cores 2 --configfile "$work/my.yaml") > "$work/clone.log" 2>&1 ||
  { tail -n 60 "$work/clone.log" && false; }
mv "$work/out" "$work/of-clone"

"$work/venv/bin/graytrace" run "$work/bids" "$work/out" participant --cores 2 > "$work/wheel.log" 2>&1 ||
  { tail -n 60 "$work/wheel.log" && false; }
[ -z "$(ls -A "$work/elsewhere")" ] || { echo "Wheel test failed: something was written where it was called." && false; }
diff --recursive --exclude=logs --exclude=benchmarks --exclude=.snakemake --exclude='*.sources' --exclude='audit.*' "$work/of-clone" "$work/out"
files=$(find "$work/out" -type f -not -path '*/logs/*' -not -path '*/benchmarks/*' -not -path '*/.snakemake/*' -not -name '*.sources' | wc -l)

# what these commands read besides tables is in the wheel, too
"$work/venv/bin/graytrace" export --sdtm "$work/out" "$work/sdtm" > "$work/export.log"
"$work/venv/bin/graytrace" pages "$work/out" --output "$work/pages" > "$work/pages.log"
[ -s "$work/sdtm/nv.csv" ] && [ "$(find "$work/pages" -name '*.pdf' | wc -l)" = 1 ] ||
  { echo "Wheel test failed: no export or no page." && false; }

for wrong in "$work/none $work/out participant" "$work/bids $work/bids participant" \
  "$work/bids $work/out participant --config $work/none.yaml"; do
  # shellcheck disable=SC2086 # words are arguments
  if "$work/venv/bin/graytrace" run $wrong 2> "$work/refused"; then echo "Wheel test failed: $wrong" && false; fi
  [ "$(wc -l < "$work/refused")" = 1 ] || { cat "$work/refused" && false; }
done
echo "Wheel test passed: graytrace run in an empty environment wrote the same $files files as snakemake in a clone."
