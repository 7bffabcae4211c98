#!/bin/sh
# Downloads FreeSurfer 7.4.1 and keeps what SynthStrip, SynthSeg and SAMSEG need: about a quarter of the whole.
# FREESURFER_SHA256, where it is set, must be that of the archive; the sum that was found is printed for you to set it.
set -eu
version=7.4.1
archive=freesurfer-linux-ubuntu22_amd64-$version.tar.gz
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends ca-certificates curl
curl --fail --silent --show-error --location --output /tmp/$archive \
    https://surfer.nmr.mgh.harvard.edu/pub/dist/freesurfer/$version/$archive
found=$(sha256sum /tmp/$archive | cut -d ' ' -f 1)
echo "sha256 of $archive: $found"
if [ -n "${FREESURFER_SHA256:-}" ] && [ "$found" != "$FREESURFER_SHA256" ]; then
    echo "expected $FREESURFER_SHA256: this is another archive" >&2
    exit 1
fi
# a pattern may match nothing; what must be there is looked at below
tar --extract --gzip --file /tmp/$archive --directory /opt --no-same-owner --wildcards \
    'freesurfer/bin/mri_synthstrip' 'freesurfer/bin/mri_synthseg' 'freesurfer/bin/mri_robust_template' \
    'freesurfer/bin/run_samseg' 'freesurfer/bin/run_samseg_long' 'freesurfer/bin/samseg*' 'freesurfer/bin/fspython' \
    'freesurfer/bin/mri_convert' 'freesurfer/bin/lta_convert' 'freesurfer/python' \
    'freesurfer/models/synthstrip*' 'freesurfer/models/synthseg*' 'freesurfer/average/samseg' \
    'freesurfer/build-stamp.txt' 'freesurfer/SetUpFreeSurfer.sh' 'freesurfer/FreeSurferEnv.sh' \
    'freesurfer/FreeSurferColorLUT.txt' 'freesurfer/sources.sh' 'freesurfer/LICENSE*' || true
rm -rf /tmp/$archive /var/lib/apt/lists/*
for program in mri_synthstrip mri_synthseg run_samseg run_samseg_long mri_robust_template; do
    test -x /opt/freesurfer/bin/$program
done
