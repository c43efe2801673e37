import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

import ledger
from ledger import ion, iontext
from ledger.cli import app
from ledger.json_values import dump_json
from ledger.receipt import check_receipt


@pytest.fixture
def run():
    """Run a command line; give its result: exit_code, stdout, stderr."""

    def invoke(*words, **options):
        result = CliRunner().invoke(app, [str(word) for word in words], **options)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.stderr
        return result

    return invoke


@pytest.fixture
def data(tmp_path):
    """A data directory with the ledger `vehicles`, which holds one vehicle in two versions."""
    with ledger.open(tmp_path / "vehicles") as database:
        database.execute("CREATE TABLE Vehicle")
        database.execute("CREATE INDEX ON Vehicle (VIN)")
        database.execute("INSERT INTO Vehicle ?", {"VIN": "1N4", "Mileage": 2011})
        database.execute("UPDATE Vehicle SET Mileage = ? WHERE VIN = ?", 2012, "1N4")
    return tmp_path


def document_id(data):
    with ledger.open(data / "vehicles") as database:
        return database.execute("SELECT id FROM Vehicle AS v BY id").rows[0]["id"]


def test_execute_gives_one_row_a_line_for_programs(run, data):
    words = [
        "execute",
        "SELECT VIN, Mileage FROM Vehicle WHERE VIN = ?",
        '"1N4"',
        "--data",
        data,
        "--ledger",
        "vehicles",
    ]
    assert run(*words).stdout == '{"VIN":"1N4","Mileage":2012}\n'
    assert run(*words, "-o", "ion").stdout == '{VIN: "1N4", Mileage: 2012}\n'
    table = run(*words, "-o", "table").stdout
    assert "VIN" in table
    assert "2012" in table


def test_execute_says_what_it_cost_and_warns_of_a_scan(run, data):
    place = ["--data", data, "--ledger", "vehicles"]
    by_index = run("execute", "SELECT * FROM Vehicle WHERE VIN = '1N4'", *place)
    assert "rows: 1; documents read: 1; look-ups: 1; no block" in by_index.stderr
    assert "read the whole" not in by_index.stderr
    by_scan = run("execute", "SELECT * FROM Vehicle WHERE Mileage = 2012", *place)
    assert "read the whole of Vehicle\nhint: CREATE INDEX ON Vehicle (Mileage)\n" in by_scan.stderr
    mistaken = run("execute", "SELECT * FROM Vehicle WHERE mileage = 2012", *place)
    assert "hint: no field mileage in the documents of Vehicle; did you mean Mileage?" in mistaken.stderr
    written = run("execute", "INSERT INTO Vehicle ?", '{VIN: "2", price: 12.50}', *place)
    assert "block 4" in written.stderr


def test_execute_shows_a_plan_as_a_tree(run, data):
    words = ["execute", "EXPLAIN ANALYZE SELECT * FROM Vehicle WHERE VIN = '1N4' ORDER BY Mileage", "--data", data]
    shown = run(*words, "--ledger", "vehicles", "-o", "table").stdout
    assert [line.lstrip("└─ ")[:13] for line in shown.splitlines()] == [
        "select  (rows",
        "sort  Mileage",
        "index look-up",
    ]
    assert '"operator":"select"' in run(*words, "--ledger", "vehicles", "-o", "json").stdout


def test_execute_tells_a_wrong_statement_with_its_place_and_exits_with_3(run, data):
    done = run("execute", "SELECT * FROM Vehicle WHERE", "--data", data, "--ledger", "vehicles")
    assert done.exit_code == 3
    assert done.stdout == ""
    assert "line 1" in done.stderr
    assert "^" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["execute", "SELECT * FROM T", "--ledger", "vehicles"], 2, "--data"),
        (["execute", "SELECT * FROM T", "--ledger", "vehicles", "--data", ".", "--url", "http://x"], 2, "--data"),
        (["execute", "SELECT * FROM T", "--ledger", "nobody", "--data", "."], 3, "no ledger"),
        (["execute", "SELECT * FROM T", "--ledger", "vehicles", "--url", "ftp://x"], 3, "ftp://x"),
        (["execute", "SELECT * FROM T", "--ledger", "vehicles", "--url", "http://127.0.0.1:1"], 3, "refused"),
        (["digest", "--ledger", "nobody", "--data", "."], 3, "no ledger"),
        (["receipt", "short", "0", "--ledger", "nobody", "--data", "."], 3, "no ledger"),
        (["digest"], 2, "--ledger"),
    ],
)
def test_what_cannot_be_done_is_told_on_stderr(run, words, code, told):
    done = run(*words)
    assert done.exit_code == code
    assert told in done.stderr
    assert done.stdout == ""


def test_a_wrong_parameter_is_told(run, data):
    done = run("execute", "SELECT * FROM Vehicle WHERE VIN = ?", "{a:", "--data", data, "--ledger", "vehicles")
    assert done.exit_code == 3
    assert "Ion" in done.stderr


def test_a_ledger_that_a_server_has_is_not_opened_twice_but_can_be_asked(run, start_server, data):
    coordinator, stop = start_server(data)
    url = "http://{}:{}".format(*coordinator.address)
    refused = run("digest", "--data", data, "--ledger", "vehicles")
    assert refused.exit_code == 3
    assert "--url" in refused.stderr
    select = ["execute", "SELECT VIN, Mileage FROM Vehicle WHERE VIN = ?", '"1N4"', "--ledger", "vehicles"]
    assert run(*select, "--url", url).stdout == '{"VIN":"1N4","Mileage":2012}\n'
    by_url = run("digest", "--url", url, "--ledger", "vehicles").stdout
    wrong = run("execute", "SELECT * FROM", "--url", url, "--ledger", "vehicles")
    assert wrong.exit_code == 3
    assert "400" in wrong.stderr
    missing = run("digest", "--url", url, "--ledger", "nobody")
    assert missing.exit_code == 3
    assert "404" in missing.stderr
    stop()
    assert run("digest", "--data", data, "--ledger", "vehicles").stdout == by_url
    assert run(*select, "--data", data).stdout == '{"VIN":"1N4","Mileage":2012}\n'


def test_a_receipt_is_checked_offline_in_every_form_that_it_may_be_saved_in(run, data, tmp_path):
    place = ["--data", data, "--ledger", "vehicles"]
    digest = tmp_path / "digest.ion"
    digest.write_text(run("digest", *place).stdout)
    written = run("receipt", document_id(data), 1, *place)
    assert written.exit_code == 0
    receipt = iontext.parse(written.stdout)
    for name, content in (
        ("receipt.ion", written.stdout.encode()),
        ("receipt.10n", ion.encode(receipt)),
        ("receipt.json", dump_json(receipt)),
    ):
        (tmp_path / name).write_bytes(content)
        alone = run("check-receipt", tmp_path / name)
        assert alone.exit_code == 0
        assert "agrees with itself" in alone.stdout
        against = run("check-receipt", tmp_path / name, "--digest", digest)
        assert against.exit_code == 0
        assert "digest that you gave" in against.stdout
    assert run("check-receipt", "-", input=written.stdout).exit_code == 0


def test_a_false_receipt_is_not_proven_and_exits_with_1(run, data, tmp_path):
    place = ["--data", data, "--ledger", "vehicles"]
    text = run("receipt", document_id(data), 1, *place).stdout
    false = tmp_path / "false.ion"
    false.write_text(text.replace("2012", "2013"))
    done = run("check-receipt", false)
    assert done.exit_code == 1
    assert "NOT PROVEN" in done.stderr
    assert done.stdout == ""
    false.write_bytes(b"\x00\x01 no receipt")
    assert run("check-receipt", false).exit_code == 1
    false.write_text("{format: 1}")
    assert run("check-receipt", false).exit_code == 1


def test_a_receipt_against_another_digest_is_not_proven(run, data, tmp_path):
    place = ["--data", data, "--ledger", "vehicles"]
    earlier = tmp_path / "earlier.ion"
    earlier.write_text(run("digest", *place).stdout)
    tip = iontext.parse(earlier.read_text())["digestTipAddress"]["sequenceNo"]
    run("execute", "INSERT INTO Vehicle {'VIN': '2'}", *place)
    receipt = tmp_path / "receipt.ion"
    receipt.write_text(run("receipt", document_id_of(run, place), 0, *place).stdout)
    assert run("check-receipt", receipt, "--digest", earlier).exit_code == 1
    receipt.write_text(run("receipt", document_id_of(run, place), 0, *place, "--tip", tip).stdout)
    assert run("check-receipt", receipt, "--digest", earlier).exit_code == 0
    check_receipt(iontext.parse(receipt.read_text()), iontext.parse(earlier.read_text())["digest"])
    no_digest = tmp_path / "no-digest.ion"
    no_digest.write_text("{a: 1}")
    assert run("check-receipt", receipt, "--digest", no_digest).exit_code == 2


def document_id_of(run, place):
    row = run("execute", "SELECT id FROM Vehicle AS v BY id WHERE v.VIN = '1N4'", *place).stdout
    return json.loads(row)["id"]


def test_verify_says_what_it_checked(run, data):
    done = run("verify", "--data", data, "--ledger", "vehicles")
    assert done.exit_code == 0
    assert "4 blocks" in done.stdout
    assert "views are what the blocks add up to" in done.stdout


def test_verify_names_the_damage_and_repair_cuts_only_what_it_is_told(run, data):
    place = ["--data", data, "--ledger", "vehicles"]
    flip_byte_of(data / "vehicles" / "journal", b"SET Mileage")
    damaged = run("verify", *place)
    assert damaged.exit_code == 1
    assert "block 3 at byte" in damaged.stderr
    assert "expected" in damaged.stderr
    assert run("repair", *place).exit_code == 2
    cut = run("repair", *place, "--from-block", 3)
    assert cut.exit_code == 0
    assert "3 blocks" in cut.stdout
    assert run("verify", *place).exit_code == 0
    rows = run("execute", "SELECT VIN, Mileage FROM Vehicle WHERE VIN = '1N4'", *place).stdout
    assert json.loads(rows) == {"VIN": "1N4", "Mileage": 2011}


def flip_byte_of(journal, known):
    for path in sorted(journal.glob("*")):
        data = path.read_bytes() if path.is_file() else b""
        if known in data:
            with path.open("r+b") as file:
                file.seek(data.index(known))
                file.write(bytes([known[0] ^ 1]))
            return
    raise AssertionError("no block holds that")


def test_every_command_explains_itself(run):
    for command in ("serve", "execute", "digest", "receipt", "check-receipt", "verify", "repair"):
        shown = run(command, "--help", env={"COLUMNS": "200"})
        assert shown.exit_code == 0
        assert len(shown.stdout.splitlines()) > 5


def test_execute_says_where_nobody_answers(run):
    with socket.socket() as free:  # bound and not listening: a port where nobody answers
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        result = run("execute", "SELECT 1 FROM T", "--url", url, "--ledger", "town")
    assert result.exit_code == 3
    assert f"nobody answers at {url}" in result.stderr
    assert "strandline serve" in result.stderr


MANY_ROWS = "SELECT a, b FROM ? AS a, ? AS b"
LIST = str(list(range(3_000)))


@contextmanager
def served_or_not(start_server, data, served):
    """Give the words that say where the ledger is."""
    if not served:
        yield ["--data", str(data)]
        return
    coordinator, stop = start_server(data)
    yield ["--url", "http://{}:{}".format(*coordinator.address)]
    stop()


@pytest.mark.parametrize("served", [False, True], ids=["directory", "server"])
def test_ctrl_c_ends_a_query_whose_rows_are_written_as_they_come(data, start_server, served):
    """Nine million rows: the first ones are there long before the last; then the ledger is free for the next one."""
    with served_or_not(start_server, data, served) as place:
        command = [sys.executable, "-m", "strandline", "execute", MANY_ROWS, LIST, LIST, "--ledger", "vehicles", *place]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout.readline() == b'{"a":0,"b":0}\n'
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=30)
        assert process.returncode not in (0, None)
        assert b"Traceback" not in told
        again = [*command[:3], "execute", "SELECT VIN FROM Vehicle", "--ledger", "vehicles", *place]
        assert subprocess.run(again, capture_output=True, timeout=30, check=True).stdout == b'{"VIN":"1N4"}\n'


def test_a_reader_that_has_seen_enough_ends_a_query_without_a_word(data):
    command = [
        sys.executable,
        "-m",
        "strandline",
        "execute",
        MANY_ROWS,
        LIST,
        LIST,
        "--ledger",
        "vehicles",
        "--data",
        data,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b'{"a":0,"b":0}\n'
        process.stdout.close()
        assert (process.wait(timeout=30), process.stderr.read()) == (141, b"")


@pytest.mark.parametrize("served", [False, True], ids=["directory", "server"])
def test_a_query_that_fails_in_the_middle_says_so_after_its_rows(run, data, start_server, served):
    with served_or_not(start_server, data, served) as place:
        wrong = "SELECT VALUE (SELECT VALUE x FROM [0] AS x LIMIT n) FROM [1, -1] AS n"
        done = run("execute", wrong, "--ledger", "vehicles", *place)
        assert done.exit_code == 3
        assert done.stdout == "[0]\n"
        assert "EvaluationError" in done.stderr
        assert "LIMIT takes an int" in done.stderr


def test_an_index_that_the_command_line_made_of_a_large_table_is_there_for_the_next_command(run, data):
    with ledger.open(data / "vehicles") as database:
        for _ in range(30):
            database.execute("INSERT INTO Vehicle ?", [{"Make": "Audi"}] * 40)
    there = ("--data", data, "--ledger", "vehicles")
    assert run("execute", "CREATE INDEX ON Vehicle (Make)", *there).exit_code == 0
    looked_up = run("execute", "SELECT COUNT(*) AS n FROM Vehicle WHERE Make = ?", '"BMW"', *there)
    assert "documents read: 0; look-ups: 1" in looked_up.stderr
