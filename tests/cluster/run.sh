#!/usr/bin/env bash
# A phantom study through a real Slurm (one node, on loopback) and on this machine: the tables must be the same bytes.
# Needs Debian and root, because it installs slurm-wlm and munge; elsewhere it says so in one line and ends well.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! [ -f /etc/debian_version ] || [ "$(id -u)" != 0 ]; then
  echo "Slurm test left out: it needs root on Debian, to install slurm-wlm and munge."
  exit
fi
if ! command -v slurmctld munged > /dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  if ! { apt-get update -qq && apt-get install -qq --no-install-recommends slurm-wlm munge; } > /dev/null 2>&1; then
    echo "Slurm test left out: slurm-wlm and munge cannot be installed here."
    exit
  fi
fi

python=${PYTHON_OF_TESTS:-.venv/bin/python}
if ! "$python" -c "import snakemake_executor_plugin_slurm" 2> /dev/null; then
  "$python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/cluster.txt
fi

work=$(mktemp -d)
finish() {
  tests/cluster/start_slurm.sh "$work/cluster" stop
  rm -rf "$work"
}
trap finish EXIT

"$python" -m graytrace phantom "$work/bids" --patients 1 --voxel-mm 2 > "$work/phantom.log"
for place in local slurm arrays; do
  printf 'study:\n  bids_dir: bids\n  output_dir: %s\n' "$place" > "$work/$place.yaml"
done
study() {
  local place=$1
  shift
  mkdir "$work/$place-work"
  "$python" -m snakemake --directory "$work/$place-work" --configfile "$work/$place.yaml" "$@" > "$work/$place.log" 2>&1 ||
    { tail -n 60 "$work/$place.log" && find "$work/$place-work" -name '*.log' -size +0 -exec tail -n 20 {} + && false; }
}

study local --cores 2
tests/cluster/start_slurm.sh "$work/cluster"
# without containers, because images are not made here; squeue, because this cluster keeps no accounts that sacct could
# ask; short waits, because it is all one machine
here=(--profile profiles/installed --slurm-status-command squeue --slurm-no-account --latency-wait 5
  --slurm-init-seconds-before-status-checks 3 --seconds-between-status-checks 3)
study slurm --profile profiles/slurm "${here[@]}"
study arrays --profile profiles/slurm --profile profiles/slurm-arrays "${here[@]}" --until skull_strip

for table in atrophy volumes quality scans; do
  cmp "$work/local/$table.tsv" "$work/slurm/$table.tsv" || { diff "$work/local/$table.tsv" "$work/slurm/$table.tsv" && false; }
done
for record in "$work"/arrays/records/*/*/skull_strip.json; do
  cmp "$record" "$work/local/${record#"$work/arrays/"}"
done
# one of inspect; another of skull_strip if both scans were ready for it at once
arrays=$(grep -c "Submitted array job" "$work/arrays.log" || true)
[ "$arrays" -ge 1 ] || { echo "Slurm test failed: nothing was submitted as an array." && false; }
jobs=$(grep -c "has been submitted with SLURM jobid" "$work/slurm.log")
echo "Slurm test passed: $jobs jobs through Slurm $(sinfo --version | cut -d' ' -f2), the tables are the same bytes as without; $arrays arrays."
