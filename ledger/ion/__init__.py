"""Ion 1.0 binary: our own codec, strict and bounded, because bytes come from outside.

    symbols   symbol tables and their bytes
    scalars   the bodies of decimals and timestamps (Ion hash uses the same ones)
    encoder   value -> bytes
    decoder   bytes -> value

Rules:
- `decode(encode(v))` is `v` in Ion's data model (`ledger.values.identical`); a struct's fields keep their order.
- What one side refuses, the other refuses too: there is no value that can be written and not read.
- Both raise InvalidValueError and nothing else, the decoder with the position of the byte.

Source: the Amazon Ion 1.0 binary encoding, https://amazon-ion.github.io/ion-docs/docs/binary.html and .../symbols.html
"""

from ledger.ion.decoder import decode, decode_all, decode_part
from ledger.ion.encoder import encode, encode_part
from ledger.ion.symbols import DEPTH_MAX, SYSTEM, SymbolTable

__all__ = ["DEPTH_MAX", "SYSTEM", "SymbolTable", "decode", "decode_all", "decode_part", "encode", "encode_part"]
