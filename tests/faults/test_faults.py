"""Every fault becomes the attempt row that docs/faults.md says, the run goes on, and nothing is lost on the way."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from faults.cases import BY_NAME, CASES, Case
from faults.lab import ANSWERS, PLAIN, Asked
from faults.labs import RunningLab, running_lab
from selftaught_builder.common.errors import EndpointError, SelftaughtError
from selftaught_builder.endpoints import ERRORS, Identity, Reply
from selftaught_builder.endpoints.openai import OpenAIEndpoint
from selftaught_builder.recipe import Replica
from selftaught_builder.room.room import open_room
from selftaught_builder.sampling import runner
from selftaught_builder.sampling.failures import REFUSED_AFTER
from selftaught_builder.sampling.retry import LONGEST_RETRY_AFTER, RetryDecision
from selftaught_builder.serving.pool import Member, Opened
from selftaught_builder.serving.ports import free_port
from selftaught_builder.store.journal import Journal
from support.command import environment
from support.rooms import attempts, cli, server_room, store_of
from support.servers import OpenAIServer, process
from support.stages import sample as sample_room

CANARY = "sk-canary-5e1f7a09d3"
AT_ONCE = [case for case in CASES if case.lab and not case.stops]
STOPPING = [case for case in CASES if case.stops]
Row = dict[str, Any]


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    """A fault lab that all tests here share."""
    with running_lab() as running:
        yield running


def named_questions(folder: Path, url: str, cases: list[Case], **sections: Any) -> Path:
    """Write a room with a question for each case, which names it."""
    server_room(folder, url, **sections)
    rows = [{"question": f"[{case.name}] How much is {n} + 7?", "answer": str(n + 7)} for n, case in enumerate(cases)]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def at_once(decision: RetryDecision) -> RetryDecision:
    """The same without any wait."""
    return replace(decision, wait=0.0, hold_back=None if decision.hold_back is None else 0.0)


@dataclass
class Run:
    """A run over all cases.

    Attributes:
        folder: the room.
        rows: the attempts at each case's question, in the order of the tries.
        waits: the seconds before each next try that had a `Retry-After`, by what it asked for.
        seen: what the lab saw.
    """

    folder: Path
    rows: dict[str, list[Row]]
    waits: dict[float, float] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def run(lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Sample one completion for the question of each case; the case befalls its first try. The journal is kept."""
    folder = named_questions(
        tmp_path_factory.mktemp("faults") / "room",
        lab.url,
        AT_ONCE,
        endpoint={"timeout": 3, "retries": 1},
        sample={"k": 1, "concurrency": 8},
    )
    done = Run(folder, {})
    real = runner.decide

    def noted(reply: Reply, *asked: Any, **told: Any) -> RetryDecision:
        decision = real(reply, *asked, **told)
        if reply.retry_after is not None and decision.hold_back is not None:
            done.waits[reply.retry_after] = decision.hold_back
        return at_once(decision)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", CANARY)
        patch.setattr(runner, "decide", noted)
        numbers = count()  # a segment's own number is used again
        patch.setattr(Journal, "drop", lambda self, it: shutil.move(it, it.with_suffix(f".{next(numbers)}.kept")))
        lab.script()
        sample_room(open_room(folder))
    done.rows, done.seen = by_case(folder), lab.seen()
    return done


def by_case(folder: Path) -> dict[str, list[Row]]:
    """Return a room's attempts by the case that their question names."""
    query = r"""
        SELECT regexp_extract(q.question, '\[(.+?)\]', 1) AS befell, a.*
        FROM attempts a JOIN questions q ON q.hash = a.question ORDER BY a.try"""
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in store_of(folder).sql(query).iter_rows(named=True):
        rows[row["befell"]].append({**row, "provider": orjson.loads(row["provider"])})
    return rows


def assert_as_the_table_says(case: Case, row: Mapping[str, Any]) -> None:
    """The row of a try that a case befell is what the table says."""
    assert row["error"] == case.error
    assert case.said in (row["error_text"] or "")
    assert len(row["error_text"] or "") <= 2000
    assert {name: row[name] for name in case.columns} == dict(case.columns)
    if case.error:
        assert (row["completion"], row["reasoning"], row["cost"]) == ("", "", None)


def test_the_lab_does_what_the_table_lists_and_nothing_else() -> None:
    assert set(ANSWERS) - {PLAIN, "certificate"} == {case.name for case in CASES if case.lab}
    assert len(BY_NAME) == len(CASES)
    assert {case.error for case in CASES} - {None} == set(ERRORS)


@pytest.mark.parametrize("case", AT_ONCE, ids=lambda case: case.name)
def test_a_fault_is_the_row_that_the_table_says(run: Run, case: Case) -> None:
    first, *others = run.rows[case.name]
    assert_as_the_table_says(case, first)
    assert [row["error"] for row in others] == ([None] if case.retried else [])
    assert [row["try"] for row in (first, *others)] == list(range(1, len(others) + 2))


def test_the_run_asked_for_nothing_that_the_store_does_not_know(run: Run) -> None:
    asked = [(seed, case) for _, seed, case, _ in run.seen["requests"]]
    expected = [(row["seed"], name if row["try"] == 1 else PLAIN) for name, rows in run.rows.items() for row in rows]
    assert sorted(asked) == sorted(expected)
    assert set(run.rows) == {case.name for case in AT_ONCE}


def test_a_redirect_takes_the_key_nowhere(run: Run) -> None:
    assert sum(rows[0]["error"] == "redirect" for rows in run.rows.values()) == 5
    assert run.seen["elsewhere"] == 0


def test_retry_after_is_honoured_within_bounds(run: Run) -> None:
    assert set(run.waits) == {1.0, 86400.0}
    assert all(0 <= wait - min(asked, LONGEST_RETRY_AFTER) <= 0.25 for asked, wait in run.waits.items())


def test_ids_of_ours_differ_where_the_servers_do_not(run: Run) -> None:
    rows = [row for rows in run.rows.values() for row in rows]
    assert len({row["id"] for row in rows}) == len(rows)
    assert sum(row["provider"].get("id") == "chatcmpl-1" for row in rows) > 10


def test_the_key_is_in_no_journal_and_no_store(run: Run) -> None:
    kept = list(run.folder.rglob("*.kept"))
    assert any(b"Bearer [key]" in file.read_bytes() for file in kept)
    assert files_with(CANARY[:-3], run.folder) == []
    assert "Bearer [key]" in everything(run.folder)
    assert CANARY[:-3] not in everything(run.folder)


def test_running_again_asks_only_for_what_has_failed(lab: RunningLab, tmp_path: Path) -> None:
    cases = [case for case in AT_ONCE if case.quick and not case.retried]
    folder = named_questions(tmp_path / "room", lab.url, cases, sample={"k": 1, "concurrency": 8})
    lab.script()
    sample_room(open_room(folder))
    again = sample_room(open_room(folder))
    failed = sum(case.error is not None for case in cases)
    assert (again.tally.requests, again.tally.completions, again.reused) == (failed, failed, len(cases) - failed)
    assert sample_room(open_room(folder)).tally.requests == 0


@pytest.mark.parametrize("case", STOPPING, ids=lambda case: case.name)
def test_refusals_in_a_row_stop_the_run_and_running_again_goes_on(lab: RunningLab, tmp_path: Path, case: Case) -> None:
    ordinary, refused_key = [BY_NAME["one id"]] * 3, [case] * REFUSED_AFTER
    folder = named_questions(
        tmp_path / "room", lab.url, [case, *ordinary, *refused_key, *ordinary], sample={"k": 2, "concurrency": 1}
    )
    lab.script()
    with pytest.raises(SelftaughtError, match="auth") as raised:
        sample_room(open_room(folder))
    assert raised.value.exit_code == 1
    refused = by_case(folder)[case.name]
    assert len(refused) == 2 + 2 * REFUSED_AFTER - 1, "the samples of one question count as one"
    for row in refused:
        assert_as_the_table_says(case, row)
    assert len(attempts(folder)) == len(lab.seen()["requests"]) == len(refused) + 6
    assert sample_room(open_room(folder)).tally.completions == 13
    assert [row["error"] for row in by_case(folder)[case.name]].count(None) == 7


@pytest.fixture
def tls_url(tmp_path: Path) -> Iterator[str]:
    """The base URL of a lab with a certificate that it signed itself."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("needs openssl, which makes a certificate")
    certificate = tmp_path / "certificate.pem"
    made = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    made += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*made, "-keyout", certificate, "-out", tmp_path / "public.pem"], check=True, capture_output=True)
    certificate.write_bytes(certificate.read_bytes() + (tmp_path / "public.pem").read_bytes())
    with process(str(Path(__file__).with_name("lab.py")), "--certificate", str(certificate)) as port:
        yield f"https://127.0.0.1:{port}/v1"


class Met(OpenAIEndpoint):
    """An endpoint that was identified before it went wrong."""

    async def identify(self) -> Identity:
        """Ask nothing."""
        return Identity(self.base_url, "stand-in", "unknown", {"seed": True})


def rows_of_met(folder: Path, case: Case, url: str) -> list[Row]:
    """Ask three questions of an endpoint that is identified already, on a budget for one; return the attempts."""
    small = {"endpoint": {"retries": 1}, "sample": {"k": 1, "concurrency": 1, "budget": {"tokens": 1000}}}
    room = open_room(named_questions(folder, url, [case] * 3, **small))

    @asynccontextmanager
    async def met() -> AsyncIterator[Opened]:
        async with Met(room.recipe.endpoint) as endpoint:
            yield Opened([Member(room.recipe.endpoint, endpoint, Replica())])

    sample_room(room, client=met)
    return attempts(folder)


def test_a_certificate_that_nobody_vouches_for_is_refused(tls_url: str, tmp_path: Path) -> None:
    case = BY_NAME["certificate"]
    rows = rows_of_met(tmp_path / "room", case, tls_url)
    assert [row["try"] for row in rows] == [1, 1, 1]
    for row in rows:
        assert_as_the_table_says(case, row)


def test_nobody_there_is_tried_again_and_cost_nothing(tmp_path: Path) -> None:
    case = BY_NAME["nobody"]
    rows = rows_of_met(tmp_path / "room", case, f"http://127.0.0.1:{free_port('127.0.0.1')}/v1")
    assert [row["try"] for row in rows] == [1, 2, 1, 2, 1, 2]
    for row in rows:
        assert_as_the_table_says(case, row)


def test_such_a_certificate_is_wrong_input_before_anything_is_asked(tls_url: str, tmp_path: Path) -> None:
    room = open_room(server_room(tmp_path / "room", tls_url, questions=2))
    with pytest.raises(EndpointError, match="SSL_CERT_FILE") as raised:
        sample_room(room)
    assert raised.value.exit_code == 2


def test_beside_a_server_that_works_no_fault_costs_a_sample(
    lab: RunningLab, openai_server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = runner.decide
    monkeypatch.setattr(
        runner, "decide", lambda *asked, **told: at_once(real(*asked, **told))
    )  # or the other does it all meanwhile
    quick = [case for case in CASES if case.quick and case.lab]
    cases = sorted(quick, key=lambda case: case.error == "timeout")  # the other goes on while the lab keeps one waiting
    between = [one for case in cases for one in (case, BY_NAME["one id"])]  # or the lab were left alone before long
    settings = {"timeout": 1, "retries": 1, "share": 1000, "replicas": [{"base_url": openai_server.url}]}
    sample = {"k": 1, "concurrency": 1}
    folder = named_questions(tmp_path / "room", lab.url, between, endpoint=settings, sample=sample)
    lab.script()
    asked = sample_room(open_room(folder))
    assert (asked.tally.completions, asked.tally.failed) == (len(between), 0)
    assert {case for _, _, case, _ in lab.seen()["requests"]} >= {
        case.name for case in cases if case.error != "timeout"
    }
    failed = {row["endpoint"] for row in attempts(folder) if row["error"]}
    assert failed == {lab.url}


MIXED = [case.name for case in CASES if case.quick and not case.stops and case.lab]
TIMEOUT, LONGEST_BACKOFF, SLACK = 5.0, 4.0, 15.0


def test_a_run_full_of_faults_accounts_for_every_request(lab: RunningLab, tmp_path: Path) -> None:
    folder = server_room(
        tmp_path / "room",
        lab.url,
        questions=250,
        endpoint={"timeout": TIMEOUT, "retries": 2},
        sample={"k": 2, "concurrency": 32},
        keep="answer = 'pass'",
    )
    lab.script(cases=MIXED, share=0.3, seed=5)
    with_key = {"env": environment(OPENAI_API_KEY=CANARY)}
    done = cli("sample", folder, **with_key)
    assert done.returncode == 0, done.stderr
    seen = lab.seen()
    assert_accounted_for(folder, lab.befell())
    assert len({case for cases in lab.befell().values() for case in cases} - {PLAIN}) > len(MIXED) / 2
    assert seen["elsewhere"] == 0

    # A request that is not bounded would hold the run for ever; what may hold it is a timeout and a wait before a try.
    times = sorted(at for *_, at in seen["requests"])
    stalls = [later - earlier for earlier, later in pairwise(times)]
    assert max(stalls) < TIMEOUT + LONGEST_BACKOFF + SLACK

    lab.script()
    again = cli("sample", folder, **with_key)
    exported = cli("export", folder, **with_key)
    assert (again.returncode, exported.returncode) == (0, 0), again.stderr + exported.stderr
    successes = [row["key"] for row in attempts(folder) if row["error"] is None]
    assert len(successes) == len(set(successes)) == 500

    said = "".join(shown.stdout + shown.stderr for shown in (done, again, exported))
    assert "Traceback" not in said
    assert CANARY[:-3] not in said + everything(folder)
    assert files_with(CANARY[:-3], folder) == []


def assert_accounted_for(folder: Path, befell: Mapping[Asked, list[str]]) -> None:
    """Every request that the lab saw is a row, with the class of what befell it, and there is no other row."""
    query = """
        SELECT q.question AS asked, a.* FROM attempts a JOIN questions q ON q.hash = a.question ORDER BY a.try"""
    tries: dict[Asked, list[Row]] = defaultdict(list)
    for row in store_of(folder).sql(query).iter_rows(named=True):
        tries[row["asked"], row["seed"]].append({**row, "provider": orjson.loads(row["provider"])})
    assert {asked: len(rows) for asked, rows in tries.items()} == {asked: len(names) for asked, names in befell.items()}
    for asked, rows in tries.items():
        for row, name in zip(rows, befell[asked], strict=True):
            if name == PLAIN:
                assert row["completion"].startswith(f"Attempt {row['seed']:x} "), row["error_text"]
            else:
                assert_as_the_table_says(BY_NAME[name], row)


def files_with(text: str, folder: Path) -> list[Path]:
    """Return the files whose bytes hold a text."""
    return [file for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


def everything(folder: Path) -> str:
    """Return all that the store and the exported files of a room hold, as text: on disk they are compressed."""
    store = store_of(folder)
    tables = store.sql("SELECT table_name FROM duckdb_tables()")["table_name"]
    held = [store.sql(f'SELECT CAST(t AS VARCHAR) AS row FROM "{table}" t')["row"].to_list() for table in tables]
    import polars as pl

    exported = [str(pl.read_parquet(file).to_dicts()) for file in folder.rglob("*.parquet")]
    return "\n".join([*(str(row) for rows in held for row in rows), *exported])
