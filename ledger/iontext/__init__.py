"""Ion text, and Python values of every kind, at the ledger's edges.

    parse, parse_all   text -> values
    dump               value -> text
    of_python          native Python, datetime, amazon.ion's IonPy values -> values

All of them raise InvalidValueError and nothing else. Text is for people and clients; the journal and the hashes never see it.
Reader and writer are our own: amazon.ion's lose digits (`reader` says which), and its C code need not meet what comes from the network.
"""

from ledger.iontext.python_values import of_python
from ledger.iontext.reader import parse, parse_all
from ledger.iontext.writer import dump

__all__ = ["dump", "of_python", "parse", "parse_all"]
