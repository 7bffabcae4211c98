#!/bin/sh
# What the stages call must be there and start.
set -eu
prefix=/opt/conda/envs/ants/bin
for program in antsBrainExtraction.sh N4BiasFieldCorrection Atropos; do
    test -x $prefix/$program
done
$prefix/antsRegistration --version
