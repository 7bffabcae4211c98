#!/bin/sh
# deepbet in an environment of its own, because it brings PyTorch; run as root on Debian 12 after install-graytrace.sh.
# PyTorch's build for processors alone, from its own place: the one on PyPI brings gigabytes for graphics cards.
set -eu
export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
python3 -m venv /opt/deepbet
python=/opt/deepbet/bin/python
$python -m pip install --no-deps --require-hashes -r /opt/graytrace/deepbet.txt
$python -m pip install --no-deps --index-url https://download.pytorch.org/whl/cpu torch==2.13.0
rm -rf /root/.cache
ln -s /opt/deepbet/bin/deepbet-cli /usr/local/bin/deepbet-cli
/usr/local/bin/deepbet-cli --help > /dev/null
