"""What a user has librdkafka do: `--config KEY=VALUE`, and the file that `$KAFKA_CONFIG_FILE` names, one KEY=VALUE a line.

    # client.properties
    security.protocol=SASL_SSL
    sasl.mechanism=SCRAM-SHA-512
    sasl.username=ledger
    sasl.password=...

The file is for secrets, which a command line would show to every user of the machine, and for `strandline serve`, whose publishers read it,
too. What the command line says goes before what the file says. Keys are librdkafka's, not Java's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from streams.errors import ClientSettingsError

__all__ = ["CONFIG_FILE_VARIABLE", "client_settings"]

CONFIG_FILE_VARIABLE = "KAFKA_CONFIG_FILE"


def client_settings(options: Sequence[str]) -> dict[str, str]:
    """Give librdkafka's keys and values.

    Raises:
        ClientSettingsError: a line or an option is not KEY=VALUE, or the file cannot be read.
    """
    return _of_file() | dict(_pair(option, "--config") for option in options)


def _of_file() -> dict[str, str]:
    name = os.environ.get(CONFIG_FILE_VARIABLE)
    if not name:
        return {}
    try:
        lines = [line.strip() for line in Path(name).read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ClientSettingsError(f"{CONFIG_FILE_VARIABLE} names a file that cannot be read: {error}") from error
    return dict(
        _pair(line, f"{name}, line {number}")
        for number, line in enumerate(lines, 1)
        if line and not line.startswith("#")
    )


def _pair(text: str, where: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ClientSettingsError(f"{where} is not KEY=VALUE: {key!r}")
    return key.strip(), value.strip()
