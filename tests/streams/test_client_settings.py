"""Settings of librdkafka come from the command line and from a file, so that no secret stands in a list of processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.client_settings import CONFIG_FILE_VARIABLE, client_settings
from streams.errors import ClientSettingsError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CONFIG_FILE_VARIABLE, str(tmp_path / "client.properties"))
    return tmp_path / "client.properties"


def test_without_a_file_the_command_line_is_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONFIG_FILE_VARIABLE, raising=False)
    assert client_settings([]) == {}
    assert client_settings(["sasl.password=a=b", "x="]) == {"sasl.password": "a=b", "x": ""}


def test_the_command_line_goes_before_the_file(file: Path) -> None:
    file.write_text("# ours\n\nsecurity.protocol = SASL_SSL\nsasl.password=from=file\n")
    assert client_settings(["sasl.password=x"]) == {"security.protocol": "SASL_SSL", "sasl.password": "x"}
    assert client_settings([])["sasl.password"] == "from=file"


def test_a_line_that_is_none_is_named_without_its_neighbours(file: Path) -> None:
    file.write_text("sasl.password=secret\nnonsense\n")
    with pytest.raises(ClientSettingsError, match="line 2 is not KEY=VALUE: 'nonsense'") as refused:
        client_settings([])
    assert "secret" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(file: Path) -> None:
    with pytest.raises(ClientSettingsError, match=r"client\.properties"):
        client_settings([])
    file.write_bytes(b"\xff=\xfe")
    with pytest.raises(ClientSettingsError, match=CONFIG_FILE_VARIABLE):
        client_settings([])
