"""Verification: users' own verifiers, groups, queries, options, and who judges."""

from __future__ import annotations

from pathlib import Path

import pytest

import selftaught_builder.verification.judges as judges_module
from selftaught_builder.common.errors import RecipeError
from selftaught_builder.verification import chosen_verifiers, pending, verify, versions_of
from support.stores import SUMS, Scripted

CHECKS = """
import os, time
from selftaught_verifiers import Outcome, Verdict, group_verifier, row_verifier

@row_verifier("polite", version="3")
def polite(question, rationale, *, word: str = "sorry"):
    text = rationale.completion
    if "CRASH" in text:
        raise RuntimeError("cannot read " + text[:5])
    if "HANG" in text:
        time.sleep(60)
    if "DIE" in text:
        os.abort()
    if "EXIT" in text:
        raise SystemExit(3)
    return Verdict(Outcome.FAIL if word in text else Outcome.PASS, f"looked for {word}", score=0.5)

@group_verifier("crowd", version="1", needs=("answer",))
def crowd(question, members):
    right = sum(member.verdicts["answer"].outcome is Outcome.PASS for member in members)
    return [Verdict(Outcome.PASS, f"{right} of {len(members)}", detail={"first": members[0].attempt}) for _ in members]
"""


def scripted(folder: Path, names: list[str], **recipe: object) -> Scripted:
    folder.mkdir(exist_ok=True)
    (folder / "checks.py").write_text(CHECKS)
    return Scripted(folder, verify=["answer", "hint_leak", *names], keep="answer = 'pass'", **recipe)


def said(made: Scripted, verifier: str) -> dict[str, tuple[str, str]]:
    query = "SELECT attempt, outcome, reason FROM verdicts WHERE verifier = ? ORDER BY created_at"
    return {row[0]: row[1:] for row in made.store.sql(query, [verifier]).iter_rows()}


def test_a_users_verifier_may_crash_hang_or_die_and_costs_only_its_own_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judges_module, "PATIENCE", 1.0)
    made = scripted(tmp_path, ["polite"], verifiers={"polite": {"file": "checks.py"}})
    texts = ("I am sorry.", "CRASH", "HANG", "DIE", "EXIT", "Fine.")
    ids = {text: made.attempt(0, text, sample_index=at) for at, text in enumerate(texts)}
    done = made.verify()
    found = {text: said(made, "polite")[attempt] for text, attempt in ids.items()}
    assert found["I am sorry."] == ("fail", "looked for sorry")
    assert found["Fine."] == ("pass", "looked for sorry")
    assert found["CRASH"] == ("unscorable", "verifier crashed: RuntimeError: cannot read CRASH")
    assert found["HANG"][0] == "unscorable"
    assert "hung" in found["HANG"][1]
    assert found["DIE"] == ("unscorable", "verifier crashed: killed by SIGABRT")
    assert found["EXIT"][0] == "unscorable"
    assert "SystemExit" in found["EXIT"][1]
    assert done.outcomes["polite"] == {"fail": 1, "pass": 1, "unscorable": 4}
    assert done.outcomes["answer"].total() == len(texts)


def test_a_verifier_that_always_hangs_is_named_once_and_waited_for_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judges_module, "PATIENCE", 1.0)
    monkeypatch.setattr(judges_module, "SHORT_PATIENCE", 0.1)
    monkeypatch.setattr(judges_module, "FIRST_BLOCK", 2)
    made = scripted(tmp_path, ["polite"], verifiers={"polite": {"file": "checks.py"}})
    for index in range(8):
        made.attempt(0, "HANG" if index < 6 else "Fine.", sample_index=index)
    made.store.commit_journal()
    notes: list[str] = []
    stored: list[int] = []
    with made.store.writer():
        verify(made.store, chosen_verifiers(made.room.recipe), None, stored.append, notes.append)
    assert len(notes) == 1
    assert "`polite` hangs" in notes[0]
    reasons = [reason for outcome, reason in said(made, "polite").values() if outcome == "unscorable"]
    assert {reason.split("within ")[1] for reason in reasons} >= {"1 s", "0.1 s"}
    assert len(stored) > 3  # the other two in one block, `polite` in several


def test_an_option_and_an_edited_file_are_another_version_beside_the_old_one(tmp_path: Path) -> None:
    made = scripted(tmp_path, ["polite"], verifiers={"polite": {"file": "checks.py"}})
    attempt = made.attempt(0, "I am sorry.")
    made.verify()
    first = versions_of(made.room.recipe)["polite"]
    room = made.amended(verifiers={"polite": {"file": "checks.py", "word": "apology"}})
    with made.store.writer():
        verify(made.store, chosen_verifiers(room.recipe))
    (tmp_path / "checks.py").write_text(CHECKS.replace("looked for", "searched for"))
    versions = {first, versions_of(room.recipe)["polite"]}
    with made.store.writer():
        verify(made.store, chosen_verifiers(made.amended(verifiers={"polite": {"file": "checks.py"}}).recipe))
    rows = made.store.sql("SELECT version, outcome, reason FROM verdicts WHERE verifier = 'polite' ORDER BY created_at")
    assert [row[1:] for row in rows.iter_rows()] == [
        ("fail", "looked for sorry"),
        ("pass", "looked for apology"),
        ("fail", "searched for sorry"),
    ]
    assert rows["version"].n_unique() == 3
    assert len(versions) == 2
    wide = made.store.sql("SELECT polite, polite_score FROM attempts_wide WHERE id = ?", [attempt])
    assert wide.rows() == [("fail", 0.5)]


def test_a_group_is_judged_anew_when_it_grows_and_the_newest_verdict_counts(tmp_path: Path) -> None:
    made = scripted(tmp_path, ["crowd"], verifiers={"crowd": {"file": "checks.py"}}, export={"draw_on": "store"})
    first = made.attempt(0, sample_index=0)
    other = made.attempt(1, "No idea.", sample_index=0)
    made.verify()
    assert said(made, "crowd") == {first: ("pass", "1 of 1"), other: ("pass", "0 of 1")}
    made.attempt(0, kind="rationalized", sample_index=0)
    made.attempt(0, kind="evaluated", sample_index=0)  # no attempt at building the dataset
    second = made.attempt(0, "The answer is 6.", sample_index=1)
    made.verify()
    assert said(made, "crowd")[first] == said(made, "crowd")[second] == ("pass", "2 of 3")
    assert made.store.sql("SELECT count(*) FROM verdicts WHERE verifier = 'crowd'").item() == 1 + 1 + 3
    shown = made.store.sql("SELECT count(*) FROM attempts_wide WHERE crowd = 'pass'").item()
    assert shown == made.store.sql("SELECT count(*) FROM attempts_wide WHERE kind <> 'evaluated'").item() == 4
    query = "SELECT g.attempts FROM verdicts v JOIN verdict_groups g ON g.hash = v.seen WHERE v.attempt = ?"
    seen = made.store.sql(f"{query} ORDER BY v.created_at", [first])["attempts"].to_list()
    assert [len(group) for group in seen] == [1, 3]
    assert seen[1][:2] == [first, second]  # sampled ones first
    assert made.verify().verdicts == 0


def test_attempts_of_other_weights_are_another_group(tmp_path: Path) -> None:
    made = scripted(tmp_path, ["crowd"], verifiers={"crowd": {"file": "checks.py"}}, export={"draw_on": "store"})
    attempts = [made.attempt(0, sample_index=at, weights=weights) for at, weights in enumerate(("a", "a", "unknown"))]
    later = made.attempt(0, sample_index=9, weights="unknown", round=2)
    made.verify()
    reasons = said(made, "crowd")
    assert [reasons[one][1] for one in (*attempts, later)] == ["2 of 2", "2 of 2", "1 of 1", "1 of 1"]


SHORT = (
    "SELECT id AS attempt, length(completion) < 35 AS outcome, 'short' AS reason FROM attempts WHERE kind = 'sampled'"
)


def test_a_query_is_a_verifier_and_only_what_changed_is_stored_again(tmp_path: Path) -> None:
    made = scripted(tmp_path, ["short"], verifiers={"short": {"sql": SHORT}})
    first, long = made.attempt(0, sample_index=0), made.attempt(0, "long " * 20, sample_index=1)
    made.attempt(0, kind="rationalized")
    assert made.verify().outcomes["short"] == {"fail": 2}
    brief = made.attempt(0, "The answer is 5.", sample_index=2)
    assert made.verify().outcomes["short"] == {"pass": 1}
    assert said(made, "short") == {first: ("fail", "short"), long: ("fail", "short"), brief: ("pass", "short")}
    wide = made.store.sql("SELECT count(*) FROM attempts_wide WHERE short = 'missing'").item()
    assert wide == 1


def test_a_query_that_stops_yielding_an_attempt_takes_its_verdict_back(tmp_path: Path) -> None:
    newest = (
        "SELECT max(id) AS attempt, 'pass' AS outcome FROM attempts "
        "GROUP BY question QUALIFY count(*) OVER () > 0 AND count(*) < 3"
    )
    made = scripted(tmp_path, ["lone"], verifiers={"lone": {"sql": newest}})
    first = made.attempt(0, sample_index=0)
    made.verify()
    made.attempt(0, sample_index=1)
    made.attempt(0, sample_index=2)
    made.verify()
    assert said(made, "lone")[first] == ("unscorable", "the query no longer yields this attempt")
    assert made.verify().verdicts == 0


def test_the_newest_verdict_counts_also_where_it_has_no_score(tmp_path: Path) -> None:
    graded = (
        "SELECT id AS attempt, 'pass' AS outcome, CASE WHEN count(*) OVER () = 1 THEN 0.5 END AS score FROM attempts"
    )
    made = scripted(tmp_path, ["graded"], verifiers={"graded": {"sql": graded}})
    first = made.attempt(0, sample_index=0)
    made.verify()
    made.attempt(0, sample_index=1)
    made.verify()
    shown = made.store.sql("SELECT graded, graded_score FROM attempts_wide WHERE id = ?", [first])
    assert shown.rows() == [("pass", None)]
    assert made.verify().verdicts == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sql": "SELEC 1"}, "syntax error"),
        ({"sql": "SELECT 1 AS attempt"}, "no outcome"),
        ({"sql": "SELECT 'x' AS attempt, 'pass' AS outcome"}, "which is no attempt"),
        ({"sql": "SELECT id AS attempt, 'good' AS outcome FROM attempts"}, "the outcome `good`"),
        ({"sql": "SELECT id AS attempt, unnest(['pass', 'fail']) AS outcome FROM attempts"}, "two verdicts"),
        ({"sql": "DELETE FROM attempts"}, "read-only mode"),
        ({"sql": "SELECT attempt, outcome FROM read_csv('/etc/passwd')"}, "disabled"),
    ],
)
def test_a_query_that_is_no_verifier_is_an_input_error(tmp_path: Path, options: dict, message: str) -> None:
    made = scripted(tmp_path, ["bad"], verifiers={"bad": options})
    made.attempt(0)
    with pytest.raises(RecipeError, match=message) as raised:
        made.verify()
    assert "verifiers.bad" in str(raised.value)
    assert made.store.sql("SELECT count(*) FROM attempts").item() == 1


@pytest.mark.parametrize(
    ("names", "verifiers", "message"),
    [
        (["polit"], {}, "no verifier `polit`"),
        (["polite"], {"polite": {"file": "nowhere.py"}}, r"nowhere\.py"),
        (["polite"], {"polite": {"file": "broken.py"}}, r"broken\.py:2"),
        (["other"], {"other": {"file": "checks.py"}}, "defines no verifier `other`, but `polite`, `crowd`"),
        (["polite"], {"polite": {"file": "checks.py", "wrd": "x"}}, "no option `wrd`"),
        (["polite"], {"polite": {"file": "checks.py", "word": 3}}, "`polite.word` is 3"),
        (["equations"], {"equations": {"file": "checks.py"}}, "`equations` is a verifier of selftaught"),
        (["kind"], {"kind": {"file": "checks.py"}}, "`kind` cannot name a verifier"),
        (["polite"], {"polite": {"sql": "SELECT 1", "word": "x"}}, "nothing else"),
    ],
)
def test_what_a_recipe_says_of_verifiers_is_checked(
    tmp_path: Path, names: list[str], verifiers: dict, message: str
) -> None:
    (tmp_path / "broken.py").write_text("import os\nraise KeyError('no such thing')\n")
    made = scripted(tmp_path, names, verifiers=verifiers)
    with pytest.raises(RecipeError, match=message):
        chosen_verifiers(made.room.recipe)


def test_a_group_verifier_wants_the_verifiers_it_reads(tmp_path: Path) -> None:
    text = CHECKS.replace('needs=("answer",)', 'needs=("equations",)')
    made = scripted(tmp_path, ["crowd"], verifiers={"crowd": {"file": "checks.py"}})
    (tmp_path / "checks.py").write_text(text)
    with pytest.raises(RecipeError, match="`crowd` needs `equations`"):
        chosen_verifiers(made.room.recipe)


def test_several_processes_say_what_one_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = []
    for name, few in (("one", 10**9), ("several", 0)):
        monkeypatch.setattr(judges_module, "FEW", few)
        made = scripted(tmp_path / name, ["equations"])
        for question in range(len(SUMS)):
            for index in range(150):
                made.attempt(question, f"2 + {index} = 7. The answer is {index}.", sample_index=index)
        assert pending(made.store, chosen_verifiers(made.room.recipe)) == 0  # still in the journal
        assert made.verify().verdicts == 3 * 600
        columns = "attempt, verifier, version, outcome, answer, reason, score, detail"
        verdicts.append(made.store.sql(f"SELECT {columns} FROM verdicts ORDER BY attempt, verifier").rows())
    assert verdicts[0] == verdicts[1]


def test_an_installed_package_offers_a_verifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site"
    (package / "shout-1.0.dist-info").mkdir(parents=True)
    (package / "shout-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: shout\nVersion: 1.0\n")
    (package / "shout-1.0.dist-info" / "entry_points.txt").write_text("[selftaught.verifiers]\nquiet = shout:quiet\n")
    (package / "shout.py").write_text(
        "from selftaught_verifiers import Outcome, Verdict, row_verifier\n"
        "@row_verifier('quiet', version='1')\n"
        "def quiet(question, rationale):\n"
        "    return Verdict(Outcome.FAIL if rationale.completion.isupper() else Outcome.PASS)\n"
    )
    monkeypatch.syspath_prepend(str(package))
    made = scripted(tmp_path / "room", ["quiet"])
    loud, calm = made.attempt(0, "THE ANSWER IS 5.", sample_index=0), made.attempt(0, sample_index=1)
    made.verify()
    assert {attempt: verdict[0] for attempt, verdict in said(made, "quiet").items()} == {loud: "fail", calm: "pass"}
