#!/usr/bin/env bash
# Installs into a virtual environment what follows its folder, in the words that uv and pip share:
#     requirements/install.sh .venv --require-hashes -r requirements/runtime.txt
# uv does it with a tenth of pip's CPU time. It is taken from PATH, else from its own pin with its hash; where it is not to be
# had, or cannot reach what pip can, pip does the same from the same pins.
set -euo pipefail
environment=$1
shift
cd "$(dirname "$0")/.."
python=$environment/bin/python

pip() { "$python" -m pip --quiet --disable-pip-version-check "$@"; }

find_uv() {
  if [ -x "$environment/bin/uv" ]; then
    uv=$environment/bin/uv
  elif command -v uv >/dev/null; then
    uv=$(command -v uv)
  else
    # its lines of dev.txt alone: installing it with the rest would be the long way
    awk '/^[a-z0-9]/ { keep = /^uv==/ } keep' requirements/dev.txt >"$environment/uv.txt"
    pip install --require-hashes -r "$environment/uv.txt" || return 1
    uv=$environment/bin/uv
  fi
}

# uv knows neither pip's configuration nor its variables: a site's mirror is told to it
find_index() {
  index=$(pip config get global.index-url 2>/dev/null || true)
  index=${PIP_INDEX_URL:-$index}
  if [ -n "$index" ]; then export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$index}; fi
}

if find_uv && find_index && "$uv" pip install --quiet --python "$python" "$@"; then
  exit 0
fi
echo "Installing with pip, because uv could not; it takes a few minutes." >&2
pip install "$@"
