"""The simulated disk and the builders of the ledger's tests are used here too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "ledger"))
