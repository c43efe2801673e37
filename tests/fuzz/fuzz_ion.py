"""Fuzz the Ion decoders for as long as you like: `python tests/fuzz/fuzz_ion.py [--seconds 60] [--seed 1] [--oracle]`.

Mutates valid streams, and checks that each is refused with InvalidValueError or survives every way round. With `--oracle`, what we accept
is read by amazon.ion too, in a child process with a time limit, because its reader hangs on some bytes; the two must agree wherever it
reads at all (known: it keeps 9 digits of a second, exponents of decimal128, no symbol $ion_1_0 at the top, and takes a padded minute for
a second). Prints the seed and the bytes of whatever goes wrong.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "ledger"))

from amazon.ion import simpleion
from amazon.ion.exceptions import IonException

from ledger import ion, iontext
from ledger.errors import InvalidValueError
from ledger.hashing import ion_hash
from ledger.values import Value, identical

VECTORS = Path(__file__).parent.parent / "vectors"
ANSWER_S = 5.0


def seeds() -> list[bytes]:
    lines = (VECTORS / "ion_tests_binary.txt").read_text().splitlines()
    streams = [bytes.fromhex(line.split()[2]) for line in lines if line.startswith("good")]
    streams += map(ion.encode, iontext.parse_all((VECTORS / "01-dmv-stream-records.ion").read_text()))
    return [stream for stream in streams if len(stream) < 2_000]


def mutated(chance: random.Random, streams: list[bytes]) -> bytes:
    data = bytearray(chance.choice(streams)[4:])
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(data))
        match chance.randrange(5):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[at : at + chance.randint(1, 4)]
            case 2:
                data[at:at] = chance.randbytes(chance.randint(1, 4))
            case 3:
                other = chance.choice(streams)
                start = chance.randrange(4, len(other) + 1)
                data[at:at] = other[start : start + chance.randint(1, 12)]
            case _ if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case _:
                data.append(0x8E)
    return b"\xe0\x01\x00\xea" + data


def accepted(data: bytes) -> list[Value] | None:
    try:
        values = ion.decode_all(data)
    except InvalidValueError:
        return None
    for value in values:
        ion_hash(value)
        assert identical(ion.decode(ion.encode(value)), value), "binary round trip"
        assert identical(iontext.parse(iontext.dump([value])), [value]), "text round trip"
    return values


def oracle(channel: Connection) -> None:
    while True:
        data = channel.recv()
        try:
            channel.send(iontext.of_python(list(simpleion.loads(data, single_value=False))))
        except (IonException, ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
            channel.send(str(error))  # amazon.ion does not read this


class Oracle:
    """amazon.ion in a child that is replaced when it does not answer."""

    def __init__(self) -> None:
        self.hangs, self.refusals = 0, 0
        self._start()

    def _start(self) -> None:
        self.channel, theirs = multiprocessing.Pipe()
        self.child = multiprocessing.Process(target=oracle, args=(theirs,), daemon=True)
        self.child.start()

    def disagrees(self, data: bytes, ours: list[Value]) -> Value:
        self.channel.send(data)
        if not self.channel.poll(ANSWER_S):
            self.hangs += 1
            self.child.kill()
            self.child.join()
            self._start()
            return None
        theirs = self.channel.recv()
        if not isinstance(theirs, list):
            self.refusals += 1
            return None
        return None if identical(theirs, ours) else theirs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--oracle", action="store_true")
    asked = parser.parse_args()
    chance, streams = random.Random(asked.seed), seeds()
    second = Oracle() if asked.oracle else None
    until, tried, taken = time.monotonic() + asked.seconds, 0, 0
    while time.monotonic() < until:
        data = mutated(chance, streams)
        tried += 1
        try:
            values = accepted(data)
            theirs = second.disagrees(data, values) if second and values is not None else None
        except BaseException:
            print(f"seed {asked.seed}: {data.hex()}")
            raise
        taken += values is not None
        if theirs is not None:
            print(f"seed {asked.seed}: amazon.ion reads {theirs!r}, we {values!r}: {data.hex()}")
    print(
        f"seed {asked.seed}: {tried} streams, {taken} accepted"
        + (f", amazon.ion hung {second.hangs}x, refused {second.refusals}" if second else "")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
