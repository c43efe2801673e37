"""The journal on disk: segments of framed blocks, one commit point, a durable mark, readers in other processes.

files        the disk door                        preparation  makes segments, and an empty ledger
frame        the bytes of a frame                 recovery     where the journal ends; torn or damaged
payload      the bytes of a block in it           journal      the owner: append is the commit point
segment      the bytes of a segment's header      reader       other processes
mark         how far it is durable                segments     reads frames and blocks
directory    FORMAT, LOCK and names               wakeup       tells readers at once
"""

from ledger.journal.files import Files, RealFiles
from ledger.journal.journal import Journal
from ledger.journal.reader import JournalReader
from ledger.journal.segment import FrameLocation

__all__ = ["Files", "FrameLocation", "Journal", "JournalReader", "RealFiles"]
