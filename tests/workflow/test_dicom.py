"""The recipe from DICOM in docs/data.md, run as it stands there on files made up here."""

import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from graytrace.study.config import load_config, read_config
from graytrace.study.plan import plan_study

PROJECT = Path(__file__).resolve().parents[2]


def write_series(folder, day, model):
    """A T1w series of 20 small slices."""
    folder.mkdir(parents=True)
    uids = {key: generate_uid() for key in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")}
    voxels = np.random.default_rng(0).integers(0, 900, (20, 32, 32), dtype=np.uint16)
    for number, slice_ in enumerate(voxels):
        item = pydicom.Dataset()
        item.file_meta = pydicom.dataset.FileMetaDataset()
        item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        item.file_meta.MediaStorageSOPClassUID = item.SOPClassUID = MRImageStorage
        item.file_meta.MediaStorageSOPInstanceUID = item.SOPInstanceUID = generate_uid()
        for key, value in uids.items():
            setattr(item, key, value)
        item.PatientName, item.PatientID, item.Modality = "Doe^Jane", "secret", "MR"
        item.Manufacturer, item.ManufacturerModelName, item.MagneticFieldStrength = "SIEMENS", model, "3"
        item.SoftwareVersions, item.SequenceName, item.MRAcquisitionType = "syngo MR E11", "*tfl3d1_16ns", "3D"
        item.ImageType = ["ORIGINAL", "PRIMARY", "M", "DIS3D", "NORM"]
        item.ScanningSequence, item.SequenceVariant, item.SeriesDescription = ["GR", "IR"], "SK", "t1_mprage_sag"
        item.RepetitionTime, item.EchoTime, item.InversionTime, item.FlipAngle = "2300", "2.98", "900", "9"
        item.StudyDate = item.SeriesDate = item.AcquisitionDate = item.ContentDate = day
        item.StudyTime = item.SeriesTime = item.AcquisitionTime = item.ContentTime = "101010.000000"
        item.SeriesNumber, item.AcquisitionNumber, item.InstanceNumber = "3", "1", str(number + 1)
        item.Rows = item.Columns = 32
        item.PixelSpacing, item.SliceThickness = [8, 8], "8"
        item.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        item.ImagePositionPatient = [-128, -128, -80 + 8 * number]
        item.SamplesPerPixel, item.PhotometricInterpretation, item.PixelRepresentation = 1, "MONOCHROME2", 0
        item.BitsAllocated = item.BitsStored = 16
        item.HighBit = 15
        item.PixelData = slice_.tobytes()
        item.save_as(folder / f"{number:03d}.dcm", enforce_file_format=True)


@pytest.fixture
def recipe():
    page = (PROJECT / "docs" / "data.md").read_text(encoding="utf-8")
    return re.search(r"<!-- tested:[^\n]*\n```bash\n(.*?)```", page, flags=re.DOTALL)[1]


def test_the_recipe_makes_a_data_set_with_dates_and_protocol(recipe, tmp_path):
    write_series(tmp_path / "dicom" / "01" / "BL", "20190304", "Prisma_fit")
    write_series(tmp_path / "dicom" / "01" / "M24", "20210308", "Skyra")
    tools = Path(sys.executable).parent  # dcm2niix is installed beside Python
    subprocess.run(  # noqa: S603 - our own documentation
        ["/bin/bash", "-euc", recipe],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        check=True,
        capture_output=True,
    )
    sidecars = "".join(path.read_text() for path in tmp_path.glob("bids/sub-01/*/anat/*.json"))
    assert "Doe" not in sidecars
    assert "secret" not in sidecars
    content = read_config(PROJECT / "config.yaml")
    content["study"].update(bids_dir=str(tmp_path / "bids"), output_dir=str(tmp_path / "out"))
    (pair,) = plan_study(load_config(content)).pairs
    assert (pair.baseline.day, pair.followup.day, pair.interval_days) == (date(2019, 3, 4), date(2021, 3, 8), 735)
    assert [flag.code for flag in pair.flags] == ["scanner_differs"]
    protocol = pair.baseline.protocol
    assert (protocol.scanner, protocol.field_strength_t) == ("Siemens Prisma_fit", 3)
    assert (protocol.sequence, protocol.repetition_time_s, protocol.distortion_correction) == (
        "tfl3d1_16ns",
        2.3,
        "3D",
    )
