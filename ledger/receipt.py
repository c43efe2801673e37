"""A receipt: all that an offline check of one revision needs, in one Ion struct. Pure; nobody's server is asked.

    {
      format: 1,
      ledger: "<name>",                                    as the server called it; proved by nothing
      strandId: "...",
      blockAddress: {strandId: "...", sequenceNo: 7},
      tableId: "...", tableName: "...",                    optional; proved by nothing
      revision: {blockAddress, hash, data | dataHash, metadata: {id, version, txTime, txId}},
      proof: [{{...}}, ...],                               from the revision's hash to the digest
      digest: {{...}},
      digestTipAddress: {strandId: "...", sequenceNo: 9}
    }

The path proves membership: the digest covers this document, version, data, time and transaction. It does not prove the block's number or
the table: `dot` knows no positions. And it is worth what the digest is worth: one that came with the receipt proves only that the receipt
agrees with itself; one that you kept from before, or got from somebody else, proves that the ledger had this revision then.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.block import BLOCK_FORMAT, BlockAddress
from ledger.block_reading import address_of, hashes_of
from ledger.errors import IntegrityError
from ledger.imported import verify_revision_proof
from ledger.values import Timestamp, Value

__all__ = ["CheckedReceipt", "check_receipt"]

_FIELDS = {"format", "ledger", "strandId", "blockAddress", "revision", "proof", "digest", "digestTipAddress"}
_OPTIONAL_FIELDS = {"tableId", "tableName"}
_METADATA_FIELDS = {"id", "version", "txTime", "txId"}


@dataclass(frozen=True, slots=True)
class CheckedReceipt:
    """What a receipt proves. `state` is "data", "deleted" or "redacted".

    `digest_was_given`: the digest came from outside of the receipt; otherwise it has only been shown that the receipt agrees with itself.
    `claimed` are statements of the receipt that nothing proves.
    """

    document_id: str
    version: int
    transaction_id: str
    transaction_time: Timestamp
    state: str
    digest: bytes
    digest_tip: BlockAddress
    digest_was_given: bool
    claimed: dict[str, str]

    def __str__(self) -> str:
        content = {
            "data": "with the data shown",
            "deleted": "a deletion",
            "redacted": "redacted: only the hash of its data is left",
        }
        trust = (
            "This rests on the digest that you gave."
            if self.digest_was_given
            else "The digest came with the receipt: it agrees with itself, no more. Compare the digest with one that you kept."
        )
        claims = ", ".join(f"{name} {value}" for name, value in self.claimed.items())
        return (
            f"Proven: digest {self.digest.hex()} covers document {self.document_id} version {self.version} "
            f"({content[self.state]}), written by transaction {self.transaction_id} at {self.transaction_time}.\n"
            f"{trust}\nSaid by the receipt and not proven: {claims}, digest as of block {self.digest_tip}."
        )


def check_receipt(receipt: Value, digest: bytes | None = None) -> CheckedReceipt:
    """Check a receipt offline; `digest` is one that the caller has from somewhere else.

    Raises:
        IntegrityError: it is not a receipt, contradicts itself, or does not lead to the digest.
        InvalidValueError: a value in it is out of Ion's bounds.
    """
    fields = _exactly(receipt, _FIELDS, _OPTIONAL_FIELDS, "receipt")
    if fields["format"] != BLOCK_FORMAT or type(fields["format"]) is not int:
        raise IntegrityError("format", address="receipt", expected=BLOCK_FORMAT, actual=fields["format"])
    address = address_of(fields["blockAddress"], "blockAddress")
    tip = address_of(fields["digestTipAddress"], "digestTipAddress")
    revision = _exactly(fields["revision"], {"blockAddress", "hash", "metadata"}, {"data", "dataHash"}, "revision")
    _check_consistent(fields, address, tip, revision)
    proof = hashes_of(fields["proof"], "proof")
    (shown_digest,) = hashes_of([fields["digest"]], "digest")
    if digest is not None and digest != shown_digest:
        raise IntegrityError(
            "the receipt leads to another digest than yours", address="digest", expected=digest, actual=shown_digest
        )
    verify_revision_proof(revision, proof, shown_digest)
    metadata = _exactly(revision["metadata"], _METADATA_FIELDS, set(), "revision.metadata")
    document_id, version, time, transaction = (metadata[name] for name in ("id", "version", "txTime", "txId"))
    if not (
        isinstance(document_id, str)
        and type(version) is int
        and isinstance(time, Timestamp)
        and isinstance(transaction, str)
    ):
        raise IntegrityError("a field is of another type", address="revision.metadata", actual=metadata)
    return CheckedReceipt(
        document_id,
        version,
        transaction,
        time,
        _state(revision),
        shown_digest,
        tip,
        digest is not None,
        _claims(fields, address),
    )


def _check_consistent(
    fields: dict[str, Value], address: BlockAddress, tip: BlockAddress, revision: dict[str, Value]
) -> None:
    for name in ("ledger", "strandId", "tableId", "tableName"):
        if name in fields and type(fields[name]) is not str:
            raise IntegrityError("is no string", address=name, actual=fields[name])
    shown = address_of(revision["blockAddress"], "revision.blockAddress")
    if shown != address:
        raise IntegrityError(
            "differs from blockAddress", address="revision.blockAddress", expected=str(address), actual=str(shown)
        )
    if not address.strand_id == tip.strand_id == fields["strandId"]:
        raise IntegrityError(
            "names several strands", address="receipt", expected=fields["strandId"], actual=(str(address), str(tip))
        )
    if tip.sequence_no < address.sequence_no:
        raise IntegrityError(
            "is before the block", address="digestTipAddress", expected=f"at least {address}", actual=str(tip)
        )
    if "data" in revision and "dataHash" in revision:
        raise IntegrityError("has data and dataHash at once", address="revision")


def _state(revision: dict[str, Value]) -> str:
    return "data" if "data" in revision else "redacted" if "dataHash" in revision else "deleted"


def _claims(fields: dict[str, Value], address: BlockAddress) -> dict[str, str]:
    claims = {"ledger": str(fields["ledger"]), "block": str(address)}
    if "tableName" in fields:
        claims["table"] = str(fields["tableName"])
    return claims


def _exactly(value: Value, names: set[str], optional: set[str], where: str) -> dict[str, Value]:
    if type(value) is not dict:
        raise IntegrityError("is no struct, or has a field twice", address=where, actual=value)
    if missing := names - value.keys():
        raise IntegrityError(f"lacks {', '.join(sorted(missing))}", address=where)
    if unknown := value.keys() - names - optional:
        raise IntegrityError(f"has unknown fields: {', '.join(sorted(unknown))}", address=where)
    return value
