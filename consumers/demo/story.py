"""Recall day, act by act. Each act does something for real, shows it, and checks what came of it against `Expected`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from time import monotonic

from consumers.demo import evidence
from consumers.demo.children import run
from consumers.demo.committing import Committed, commit_all
from consumers.demo.data import TABLES, Expected, RecallDay, Statements
from consumers.demo.screen import Screen
from consumers.demo.stage import Stage
from consumers.demo.tutorial import TUTORIAL_PEOPLE, TUTORIAL_VIN
from ledger import iontext
from ledger.values import Value

__all__ = ["Story"]

_TRANSFER = "UPDATE VehicleRegistration AS r SET r.Owners.PrimaryOwner.PersonId = ? WHERE r.VIN = ?"
_HISTORY = """
SELECT h.metadata.version AS version, h.metadata.txTime AS since, h.data.Owners.PrimaryOwner.PersonId AS owner, h.hash AS hash
FROM history(VehicleRegistration) AS h WHERE h.metadata.id = ?
"""
_PEOPLE_A_TRANSACTION = 20
_TUTORIAL_TRANSFERS = 3
_DAMAGED_SHARE = 0.5
"""Which block of the copy is damaged: the one in the middle."""


class Story:
    """The story over one stage. `play` is all of it, in order."""

    def __init__(self, stage: Stage, screen: Screen, day: RecallDay) -> None:
        self._stage, self._screen, self._day = stage, screen, day
        self._expected = Expected()
        self._person_ids: dict[str, str] = {}
        self._transactions = self._revisions = 0
        self._tip = -1

    def play(self) -> None:
        self.open_the_office()
        self.register()
        self.change_hands()
        self.break_things()
        self.recall()
        self.rebuild()
        self.prove_the_stream()
        self.prove_offline()

    def open_the_office(self) -> None:
        screen, stage = self._screen, self._stage
        screen.act(
            "1  Open the office", "A coordinator, its publisher, two projections, and a real Apache Kafka between them."
        )
        stage.start_coordinator()
        stage.create_ledger()
        for table in TABLES:
            self._execute(f"CREATE TABLE {table}")
        for table, fields in TABLES.items():
            for name in fields:
                self._execute(f"CREATE INDEX ON {table} ({name})")
        stage.wait_until_published()
        for name in ("analytics", "actions"):
            stage.start_projection(name)
        screen.say(f"coordinator  {stage.url}   ledger {stage.ledger}")
        screen.say(f"Kafka        {stage.kafka}   {'started for this demo' if stage.is_own_kafka else 'yours'}")
        screen.say("projections  analytics (DuckDB), actions (SQLite with an outbox)")

    def register(self) -> None:
        self._screen.act(
            "2  Register",
            "People, vehicles and titles: each transaction becomes one hash-chained block, synced to disk.",
        )
        day = self._day
        parts = [day.people[n : n + _PEOPLE_A_TRANSACTION] for n in range(0, len(day.people), _PEOPLE_A_TRANSACTION)]
        people: list[Statements] = [[("INSERT INTO Person ?", [person]) for person in part] for part in parts]
        answers = self._commit("people", people).answers
        ids = [row["documentId"] for answer in answers for rows in _results(answer) for row in rows]
        self._person_ids = {str(person["GovId"]): str(id_) for person, id_ in zip(day.people, ids, strict=True)}
        self._commit("vehicles and titles", [title.statements(self._person_ids) for title in day.titles])
        self._expected.register(day.titles)
        self._check_tip("every acknowledged transaction is one block")

    def change_hands(self) -> None:
        screen, day = self._screen, self._day
        screen.act(
            "3  Titles change hands",
            "Transfers and orders. Nothing is overwritten: a title keeps every owner it ever had.",
        )
        buyers = [person[3] for person in TUTORIAL_PEOPLE[1 : 1 + _TUTORIAL_TRANSFERS]]
        for buyer in buyers:
            self._execute(_TRANSFER, self._person_ids[buyer], TUTORIAL_VIN)
            self._expected.owners[TUTORIAL_VIN] = buyer
        self._commit("transfers", [transfer.statements(self._person_ids) for transfer in day.transfers])
        self._expected.transfer(day.transfers)
        self._commit("orders", [order.statements(self._person_ids) for order in day.orders])
        self._expected.order(day.orders)
        self._show_title([TUTORIAL_PEOPLE[0][3], *buyers])

    def _show_title(self, owners: Sequence[str]) -> None:
        names = {self._person_ids[row[3]]: f"{row[0]} {row[1]}" for row in TUTORIAL_PEOPLE}
        versions = self._execute(_HISTORY, self._title_id())
        shown = [(v["version"], v["since"], names[str(v["owner"])], bytes(v["hash"]).hex()[:16]) for v in versions]  # type: ignore[arg-type]  # a blob
        self._screen.say(f"the title of {TUTORIAL_VIN}, from history():")
        self._screen.table(("version", "since", "owner", "hash"), shown)
        expected = [names[self._person_ids[gov_id]] for gov_id in owners]
        found = [row[2] for row in shown]
        self._screen.check("the title's history has every owner, in order", ", ".join(expected), ", ".join(found))

    def _title_id(self) -> str:
        found = self._execute("SELECT r_id FROM VehicleRegistration AS r BY r_id WHERE r.VIN = ?", TUTORIAL_VIN)
        return str(found[0]["r_id"])

    def break_things(self) -> None:
        screen, stage, day = self._screen, self._stage, self._day
        screen.act(
            "4  Break it",
            "While titles change hands, the publisher and a projection are killed with SIGKILL. Commits do not notice.",
        )
        before = stage.publisher()
        projection_before = stage.children["analytics"].pid
        transfers = day.later_transfers
        kills = {
            len(transfers) // 3: lambda: evidence.kill(before["pid"]),
            len(transfers) * 2 // 3: self._kill_projection,
        }
        committed = self._commit(
            "transfers meanwhile", [transfer.statements(self._person_ids) for transfer in transfers], kills
        )
        self._expected.transfer(transfers)
        screen.check("no transaction failed meanwhile", len(transfers), len(committed.answers))
        stage.wait_until_projected("actions", self._tip)
        stage.wait_until_projected("analytics", self._tip)
        stage.wait_until_published()  # it is; the publisher says so only twice a second
        after = stage.publisher()
        screen.say(f"publisher    process {before['pid']} killed, {after['pid']} went on from the last block in Kafka")
        screen.say(
            f"projection   process {projection_before} killed, {stage.children['analytics'].pid} went on from its own last batch"
        )
        found = (after["restarts"], after["lagBlocks"])
        screen.check("the publisher came back and published everything", (1, 0), found, "1 restart, 0 blocks behind")

    def _kill_projection(self) -> None:
        self._stage.children["analytics"].kill()
        self._stage.start_projection("analytics")

    def recall(self) -> None:
        screen, stage, day = self._screen, self._stage, self._day
        screen.act(
            "5  Recall",
            "One document. Who is concerned is decided downstream, from the state that the records carried; nobody asks the ledger.",
        )
        self._show_analytics("before")
        recall = day.recall
        screen.say(
            f"recall {recall.campaign}: {recall.make} {recall.model}, {recall.year_from} to {recall.year_to}, {recall.component}"
        )
        began = monotonic()
        for text, parameters in recall.statements():
            self._execute(text, *parameters)
        stage.wait_until_projected("actions", self._tip)
        seconds = monotonic() - began
        letters = evidence.letters_in(stage.letters)
        expected = {vin: self._person_ids[owner] for vin, owner in self._expected.notices(day).items()}
        screen.say(f"{len(letters.notices)} notices were written {seconds:.2f} s after the recall; the first:")
        screen.table(("to", "address", "vehicle", "caused by block"), letters.notices_shown[:1])
        screen.check("each affected vehicle has one notice", len(expected), len(letters.notices))
        astray = [vin for vin, receiver in letters.notices.items() if receiver != expected.get(vin)]
        screen.check("... to its owner of that moment, to no former one", [], astray, f"{len(expected)} owners")
        wrong = letters.invoices.items() ^ self._expected.invoices.items()
        screen.check(
            "every order has one invoice, exact to the cent", set(), wrong, f"{len(letters.invoices)} invoices"
        )
        screen.check("... and one dispatch note", len(self._expected.invoices), letters.dispatch_notes)
        self._commit("repairs", [[("INSERT INTO Repairs ?", [repair])] for repair in day.repairs])
        self._show_analytics("after")

    def _show_analytics(self, when: str) -> None:
        """Stop the projection (DuckDB lets one process open a file), query it, let it go on."""
        stage, screen = self._stage, self._screen
        stage.wait_until_projected("analytics", self._tip)
        stage.children["analytics"].stop()
        found = evidence.analytics(stage.analytics_store)
        screen.say(f"analytics {when}: {found.versions:,} versions of {found.documents:,} documents")
        if when == "before":
            screen.table(("make", "vehicles", "changed hands"), found.makes[:4])
            transfers = self._expected.transfers + _TUTORIAL_TRANSFERS
            screen.check(
                "the killed projection lost nothing, doubled nothing: revisions", self._revisions, found.versions
            )
            screen.check("... and counts every transfer", transfers, found.transfers)
        else:
            screen.table(("campaign", "component", "affected", "repaired", "per cent", "open"), [found.recall])
            affected, repaired = len(self._expected.notices(self._day)), len(self._day.repairs)
            screen.check("the report knows how far the recall is", (affected, repaired), found.recall[2:4],
                         f"{repaired} of {affected} repaired")  # fmt: skip
        stage.start_projection("analytics")

    def rebuild(self) -> None:
        screen, stage = self._screen, self._stage
        screen.act("6  Rebuild", "The analytics are thrown away and made again from Kafka alone.")
        stage.wait_until_projected("analytics", self._tip)
        stage.children["analytics"].stop()
        before = evidence.contents(stage.analytics_store)
        stage.analytics_store.unlink()
        began = monotonic()
        stage.start_projection("analytics")
        stage.wait_until_projected("analytics", self._tip)
        stage.children["analytics"].stop()
        seconds = monotonic() - began
        after = evidence.contents(stage.analytics_store)
        revisions = sum(rows for rows, _ in after.values())
        screen.say(
            f"{revisions:,} rows from {self._tip + 1:,} blocks in {seconds:.1f} s, each record verified on the way"
        )
        screen.table(("table", "rows", "SHA-256 before", "SHA-256 after"), (
            (name, after[name][0], before[name][1][:16], after[name][1][:16]) for name in before
        ))  # fmt: skip
        screen.check("the rebuilt projection is equal to the lost one", before, after, f"{len(after)} tables")
        stage.start_projection("analytics")

    def prove_the_stream(self) -> None:
        screen, stage = self._screen, self._stage
        screen.act(
            "7  Prove the stream",
            "Kafka's topics against the journal; and the ledger itself, made again from the topics alone.",
        )
        self._check_exit(
            "Kafka has every block once, in order, each proof valid", 0, "check-stream", *self._where(stage.data)
        )
        with closing(stage.client()) as client:
            digest = client.digest()["digest"]
        assert isinstance(digest, bytes)
        again = stage.directory / "again"
        told = self._check_exit(
            "a ledger is made from the topics alone", 0, "rebuild-ledger", *self._where(again, "--from")
        )
        screen.check("... with the same digest", f"digest {digest.hex()}", told, f"{digest.hex()[:32]}...")

    def prove_offline(self) -> None:
        screen, stage, directory = self._screen, self._stage, self._stage.directory
        screen.act(
            "8  Prove it to a stranger",
            "Everything is stopped. A receipt, the digest that was kept, the files: nobody has to be trusted.",
        )
        with closing(stage.client()) as client:
            (directory / "digest.ion").write_text(iontext.dump(client.digest(), pretty=True))
            receipt = iontext.dump(client.receipt(self._title_id(), 0, None), pretty=True)
        (directory / "receipt.ion").write_text(receipt)
        (directory / "forged.ion").write_text(receipt.replace("Seattle", "Tacoma"))
        stage.stop_children()
        for claim, expected, name in (
            ("a receipt of the first owner's title is proved offline", 0, "receipt.ion"),
            ("... and with one word changed it is refused", 1, "forged.ion"),
        ):
            self._check_exit(
                claim, expected, "check-receipt", str(directory / name), "--digest", str(directory / "digest.ion")
            )
        self._check_exit("verify reads every byte and is content", 0, "verify", *self._where(stage.data)[:4])
        block = int(self._tip * _DAMAGED_SHARE)
        copy = evidence.damaged_copy(stage.data / stage.ledger, directory / "damaged" / stage.ledger, block)
        told = self._check_exit(
            "one byte is flipped in a copy: verify refuses it", 1, "verify", *self._where(copy.parent)[:4]
        )
        screen.say(f"[dim]{told}[/]")
        screen.check("... and names the block", True, evidence.names_block(told, block), f"block {block}")
        if stage.keep:
            stage.start_coordinator()
            stage.start_projection("analytics")
            stage.start_projection("actions")

    # What the acts are made of.

    def _check_exit(self, claim: str, expected: int, *command: str) -> str:
        with self._screen.console.status(claim):
            done = run(*command)
        told = (done.stderr.strip() or done.stdout.strip()).splitlines() or [""]
        shown = f"exit {done.returncode}" if done.returncode == expected else f"exit {done.returncode}: {told[-1]}"
        self._screen.check(claim, expected, done.returncode, found=shown)
        return told[-1]

    def _where(self, data: Path, kafka: str = "--kafka") -> list[str]:
        return ["--data", str(data), "--ledger", self._stage.ledger, kafka, self._stage.kafka]

    def _check_tip(self, claim: str) -> None:
        with closing(self._stage.client()) as client:
            address = client.digest()["digestTipAddress"]
        assert isinstance(address, dict)
        self._screen.check(claim, self._transactions, int(str(address["sequenceNo"])) + 1)

    def _commit(
        self, what: str, transactions: Iterable[Statements], at: Mapping[int, Callable[[], object]] | None = None
    ) -> Committed:
        """Commit all of them with a progress bar; `at` a number of commits, do something besides."""
        todo = list(transactions)
        with self._screen.bar(what, len(todo)) as bar:

            def on_commit(done: int) -> None:
                bar.at(done)
                if at and done in at:
                    at[done]()

            committed = commit_all(self._stage.url, self._stage.ledger, what.replace(" ", "-"), todo, on_commit)
            bar.note(f"p99 {committed.latency_ms(0.99):.0f} ms")
        self._count(committed.answers)
        return committed

    def _execute(self, statement: str, *parameters: Value) -> list[dict[str, Value]]:
        with closing(self._stage.client()) as client:
            answer = client.execute(statement, parameters)
        self._count([answer])
        return _results(answer)[0]

    def _count(self, answers: Sequence[dict[str, object]] | Sequence[dict[str, Value]]) -> None:
        """Note the blocks that transactions were answered with, and the revisions in them: each statement that writes makes one."""
        for answer in answers:
            address = answer["blockAddress"]
            if isinstance(address, dict):
                self._transactions += 1
                self._revisions += len(_results(answer))
                self._tip = max(self._tip, int(address["sequenceNo"]))


def _results(answer: dict[str, object] | dict[str, Value]) -> list[list[dict[str, Value]]]:
    return answer["results"]  # type: ignore[return-value]  # rows of inserts and of the demo's queries are structs
