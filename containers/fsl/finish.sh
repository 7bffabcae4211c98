#!/bin/sh
# FSL's installer, which is not used here, would tell the suite's version; the packages of environment.yml are of 6.0.7.
set -eu
prefix=/opt/conda/envs/fsl
mkdir -p $prefix/etc
cd $prefix/conda-meta
packages=$(echo fsl-bet2-* fsl-fast4-* fsl-flirt-* fsl-siena-* | sed "s/\.json//g")
echo "6.0.7 (conda: $packages)" > $prefix/etc/fslversion
for program in bet fast siena; do
    test -x $prefix/bin/$program
done
