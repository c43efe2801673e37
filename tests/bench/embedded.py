"""The embedded database under load, a process of its own: threads that each execute one UPDATE after the other.

python embedded.py DIRECTORY CLIENTS SECONDS DOCUMENTS HOT        prints one JSON object, as load.py does
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from pathlib import Path

from load import STATEMENT, VIN, percentiles

import ledger


def measure(directory: Path, clients: int, seconds: float, documents: int, *, hot: bool) -> dict[str, object]:
    latencies: list[float] = []
    begin = time.monotonic() + 1.0

    def client(seed: int) -> None:
        chance = random.Random(seed)
        while (began := time.monotonic()) < begin + seconds:
            number = 0 if hot else chance.randrange(documents)
            db.execute(STATEMENT, chance.randrange(1_000_000), VIN.format(number))
            ended = time.monotonic()
            if begin <= began and ended <= begin + seconds:
                latencies.append((ended - began) * 1000)

    with ledger.open(directory) as db:
        threads = [threading.Thread(target=client, args=(seed,)) for seed in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return {"tps": len(latencies) / seconds, "latencyMs": percentiles(latencies)}


if __name__ == "__main__":
    _, where, clients, seconds, documents, hot = sys.argv
    print(json.dumps(measure(Path(where), int(clients), float(seconds), int(documents), hot=hot == "True")))
