import os

import pytest

from graytrace import __version__, cli


def test_every_step_explains_itself(capsys):
    for step in cli.STEPS:
        with pytest.raises(SystemExit) as caught:
            cli.main([step, "--help"])
        assert caught.value.code == 0
        assert "usage: graytrace" in capsys.readouterr().out


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out.strip() == f"Graytrace {__version__}"


def test_an_error_of_ours_is_one_message_without_traceback(capsys):
    assert cli.main(["scan_table", "--config", '{"study": {}}']) == 1
    err = capsys.readouterr().err
    assert err.startswith("scan_table: The configuration cannot be used:")
    assert "Traceback" not in err


def test_threads_are_set_before_numerical_libraries_load(monkeypatch):
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"):
        monkeypatch.setenv(name, "7")
    cli._limit_threads(["inspect", "--threads", "2"])
    assert os.environ["OMP_NUM_THREADS"] == os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] == "2"


def test_another_version_in_a_container_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("GRAYTRACE_VERSION", "0.0.0")
    assert cli.main(["scan_table", "--config", "{}"]) == 1
    assert "the workflow that called it is 0.0.0" in capsys.readouterr().err
