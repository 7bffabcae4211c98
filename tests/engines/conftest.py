"""Fake command-line tools with a nipype interface, so that every way of failing can be tried."""

from __future__ import annotations

import sys
import textwrap
import types
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nipype.interfaces.base import CommandLine, CommandLineInputSpec, File, TraitedSpec


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "scan.nii.gz"
    nib.save(nib.Nifti1Image(np.random.default_rng(1).random((8, 9, 10), np.float32), np.diag([2.0, 2, 2, 1])), path)
    return path


@pytest.fixture
def fake_tool(tmp_path, monkeypatch):
    """Put an executable `fake_bet` on PATH whose body is Python; return the name of its interface."""

    class FakeInputSpec(CommandLineInputSpec):
        in_file = File(exists=True, mandatory=True, argstr="%s", position=0, desc="scan")

    class FakeOutputSpec(TraitedSpec):
        brain_mask = File(desc="mask")
        intracranial_mask = File(desc="mask")

    class Fake(CommandLine):
        _cmd = "fake_bet"
        input_spec = FakeInputSpec
        output_spec = FakeOutputSpec

        def _list_outputs(self):
            return {name: str(Path("brain.nii.gz").absolute()) for name in ("brain_mask", "intracranial_mask")}

    module = types.ModuleType("fake_tools")
    module.Fake = Fake
    monkeypatch.setitem(sys.modules, "fake_tools", module)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def install(body):
        path = folder / "fake_bet"
        path.write_text(f"#!{sys.executable}\nimport sys, os\n{textwrap.dedent(body)}\n")
        path.chmod(0o755)
        return "fake_tools:Fake"

    return install
