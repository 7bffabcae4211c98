#!/bin/sh
# Installs Graytrace from /opt/graytrace/source into /opt/graytrace/venv, on Debian 12 as root. Every recipe runs it,
# and prove-embedded.sh runs it in an empty root file system. Its argument: Debian packages to add, for example "dc bc".
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update
# shellcheck disable=SC2086 # each word is a package
apt-get install --yes --no-install-recommends python3 python3-venv ca-certificates ${1:-}
rm -rf /var/lib/apt/lists/*
cd /opt/graytrace/source
python3 -m venv /opt/graytrace/venv
python=/opt/graytrace/venv/bin/python
$python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/runtime.txt
$python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --no-index .
rm -rf /opt/graytrace/source /root/.cache
/opt/graytrace/venv/bin/graytrace --version
