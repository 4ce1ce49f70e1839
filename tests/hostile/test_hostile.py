"""The corpus through questions, replies, recipes, files, addresses, queries and the command line.

What holds for all of it: no traceback (in this process any error would come out), an exit code of ours, nothing on the
terminal that steers it, nothing written outside the room, and every text kept as it came wherever it can be kept at all.
"""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import yaml
from typer.main import get_command

from hostile import corpus
from hostile.corpus import Hostile
from selftaught_builder.cli.app import app
from selftaught_builder.common.errors import InputError
from selftaught_builder.report import collect
from selftaught_builder.report.collect import Leak
from selftaught_builder.report.page import write_html
from selftaught_builder.room.room import open_room
from selftaught_builder.scope.scope import scope_of
from selftaught_builder.selection.filter import compile_filter
from support.command import COMMAND, environment
from support.inside import Done, inside
from support.reading import funnel_of, rows_of
from support.servers import OpenAIServer, openai_server

CODES = {0, 1, 2, 3, 130}
# C0 and C1 but tab and line feed, and what reorders, hides or breaks text.
STEERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
ANSWERED = "\nThe answer is 5."


def wrong_with(done: Done) -> str:
    """Return what a command did that none may do, "" where nothing."""
    if done.returncode not in CODES:
        return f"exit code {done.returncode}"
    for stream in (done.stdout, done.stderr):
        if "Traceback" in stream:
            return "a traceback"
        if found := STEERS.search(stream):
            return f"prints {found[0]!r} in {stream[max(0, found.start() - 40) : found.end() + 20]!r}"
    return ""


def tree(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder with their content, but for those of Python and rooms."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@dataclass(frozen=True)
class Place:
    """A folder with a room in it, and a secret beside the room.

    Attributes:
        base: the folder.
        room: the room in it.
        secret: a file that no query may read.
    """

    base: Path
    room: Path
    secret: Path

    def outside(self) -> dict[str, bytes]:
        """Return what lies outside the room."""
        return {name: data for name, data in tree(self.base).items() if not name.startswith(f"{self.room.name}/")}


def make_place(base: Path) -> Place:
    room = base / "room"
    room.mkdir()
    (base / "secret.csv").write_text("the secret content\n")
    (base / "cwd").mkdir()
    return Place(base, room, base / "secret.csv")


def write_recipe(room: Path, **keys: Any) -> None:
    recipe = {"name": "sums", "questions": {"source": "questions.jsonl"}, "prompt": {"examples": None}, **keys}
    (room / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAIServer]:
    with openai_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def done(server: OpenAIServer, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A room run to the end in which every text is once a question with its id and fields, and once a reply."""
    place = make_place(tmp_path_factory.mktemp("done"))
    rows, says = [], []
    for number, text in enumerate(one.value for one in corpus.TEXTS):
        rows.append(
            {"question": f"<a{number}> {text}", "answer": "5", "name": f"{number} {text}", "more": [text, {text: text}]}
        )
        rows.append({"question": f"<b{number}> 2 + 3?", "answer": "5", "name": f"b{number}"})
        says.append([f"<b{number}>", f"{text}{ANSWERED}".replace("\\", "\\\\")])
    says.append(["<a", f"We add.{ANSWERED}"])
    (place.room / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    write_recipe(
        place.room,
        questions={"source": "questions.jsonl", "id": "name"},
        endpoint={"kind": "openai", "model": "stand-in", "base_url": server.url, "retries": 0},
        sample={"k": 1, "concurrency": 16},
        keep="answer-only",
    )
    server.configure(says=says)
    before = place.outside()
    ran = inside("run", place.room)
    assert ran.returncode == 0, ran.stderr
    assert wrong_with(ran) == ""
    assert place.outside() == before
    return place


@pytest.fixture(scope="module")
def small(server: OpenAIServer, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A room with two questions, run to the end."""
    place = make_place(tmp_path_factory.mktemp("small"))
    rows = [{"question": f"How much is {number} + 3?", "answer": str(number + 3)} for number in (1, 2)]
    (place.room / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    endpoint = {"kind": "openai", "model": "stand-in", "base_url": server.url, "retries": 0}
    write_recipe(place.room, endpoint=endpoint, keep="answer-only")
    server.configure(right=1.0)
    assert inside("run", place.room).returncode == 0
    return place


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(corpus.EVERYTHING) >= 300
    assert len({one.name for one in corpus.EVERYTHING}) == len(corpus.EVERYTHING)
    assert len({one.kind for one in corpus.EVERYTHING}) >= 12


def test_every_reply_is_kept_as_it_came(done: Place) -> None:
    store = open_room(done.room).store()
    rows = store.sql(
        "SELECT q.question, a.completion, a.provider FROM attempts a JOIN questions q ON q.hash = a.question"
    )
    kept = {row[0].split(">")[0] + ">": row[1] for row in rows.iter_rows() if row[0].startswith("<b")}
    assert len(kept) == len(corpus.TEXTS)
    changed = []
    for number, one in enumerate(corpus.TEXTS):
        text = one.value + ANSWERED
        if "<think>" in text or "</think>" in text or "{seed}" in text:  # taken apart, or the stand-in's own
            continue
        if re.search("[\0\ud800-\udfff]", text):
            continue  # no database holds these
        if kept[f"<b{number}>"].strip() != text.strip():
            changed.append(one.name)
    assert changed == []


def test_every_question_is_asked_or_counted_as_rejected(done: Place) -> None:
    told = json.loads(inside("questions", done.room, "--json").stdout)
    assert told["rows"] == 2 * len(corpus.TEXTS)
    assert told["rows"] == told["questions"] + len(told["rejected"])
    unfit = [one for one in corpus.TEXTS if re.search("[\0\ud800-\udfff]", one.value)]
    assert len(told["rejected"]) == len(unfit)


COMMANDS = [
    ["questions", "ROOM"],
    ["questions", "ROOM", "--json"],
    ["status", "ROOM"],
    ["status", "ROOM", "--json"],
    ["audit", "ROOM"],
    ["audit", "ROOM", "--json"],
    ["audit", "ROOM", "policy", "answer-only", "default"],
    ["report", "ROOM"],
    ["report", "ROOM", "--json"],
    ["sql", "ROOM", "SELECT * FROM attempts_wide"],
    ["sql", "ROOM", "SELECT id, question, meta FROM questions", "--json"],
    ["recipe", "show", "ROOM"],
    ["export", "ROOM", "--json"],
    ["verify", "ROOM"],
    ["doctor", "ROOM"],
    ["rationalize", "ROOM"],
    ["run", "ROOM", "--dry-run"],
    *(["audit", "ROOM", "why", str(row)] for row in range(2, 240, 24)),
    ["audit", "ROOM", "why", "3", "--json"],
    ["audit", "ROOM", "--sql"],
    ["sql", "ROOM", "--schema"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:1] + command[2:]))
def test_no_text_steers_the_terminal(done: Place, command: list[str]) -> None:
    ended = inside(*(done.room if part == "ROOM" else part for part in command))
    assert wrong_with(ended) == ""
    assert ended.returncode == 0, ended.stderr


def test_a_real_terminal_gets_colours_and_nothing_else(done: Place) -> None:
    """Through a pty, where rich does write escapes of its own: only those that style."""
    ours, theirs = pty.openpty()
    query = 'SELECT completion, completion AS "\x1b]0;HOSTILE\x07" FROM attempts ORDER BY length(completion) LIMIT 39'
    env = {**environment(TERM="xterm-256color", COLUMNS="120"), "NO_COLOR": ""}
    script = (
        "import sys; from selftaught_builder.cli.app import main\n"
        "for arguments in (['audit'], ['questions'], ['sql', '--', sys.argv[1], sys.argv[2]]):\n"
        "    sys.argv[1:3] = sys.argv[1:3]\n"
        "    given = sys.argv[:]\n"
        "    sys.argv = ['selftaught', *arguments] if '--' in arguments else ['selftaught', *arguments, given[1]]\n"
        "    sys.argv = [part for part in sys.argv if part != '--']\n"
        "    try: main()\n"
        "    except SystemExit: pass\n"
        "    sys.argv = given\n"
    )
    command = [COMMAND[0], "-c", script, str(done.room), query]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux says so at the end
                break
            if not part:
                break
            said += part
        process.wait(60)
    os.close(ours)
    text = said.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    assert "\x1b[" in text  # rich took it for a terminal
    assert "HOSTILE" in text
    assert STEERS.search(re.sub("\x1b\\[[0-9;]*m", "", text)) is None


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.policy = self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = dict(attrs)["content"] or ""

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_page_shows_every_text_and_obeys_none(done: Place, tmp_path: Path) -> None:
    opened = open_room(done.room)
    plain = collect(opened.store(), scope_of(opened.store(), opened), compile_filter(opened.recipe))
    write_html(plain, tmp_path / "plain.html")
    texts = [re.sub("[\ud800-\udfff]", "", one.value)[:2000] for one in corpus.TEXTS]
    leaks = [Leak(1, text, True, text, text, text, text, text) for text in texts]
    names = {"run": texts[3], "recipe": corpus.MARKUP[0].value, "policy": corpus.MARKUP[1].value}
    write_html(replace(plain, leaks=leaks, **names), tmp_path / "hostile.html")
    source = (tmp_path / "hostile.html").read_text(encoding="utf-8")
    before = Page((tmp_path / "plain.html").read_text(encoding="utf-8"))
    page = Page(source)
    assert page.policy == before.policy
    assert "default-src 'none'" in page.policy
    assert not re.search("script-src|unsafe-eval|connect-src|http", page.policy)
    assert page.tags - before.tags <= {"article", "strong", "h2", "p", "pre", "code"}
    assert not {"script", "iframe", "object", "embed", "link", "base", "form", "a", "svg"} & page.tags
    assert [name for name, _ in page.attributes if name.startswith("on") or name in ("href", "action", "srcset")] == []
    assert [value for name, value in page.attributes if name == "src" and not value.startswith("data:image/")] == []
    assert page.text.count("<script>HOSTILE</script>") > 10  # to be read
    assert STEERS.search(source) is None


def test_exported_files_hold_texts_as_data(done: Place) -> None:
    [version] = [path for path in done.room.iterdir() if path.name.startswith("v1-")]
    frame = pl.read_parquet(version / "data" / "*.parquet")
    rationales = set(frame["rationale"])
    for one in (*corpus.MARKUP, *corpus.TEMPLATES, *corpus.SQL, *corpus.FORMULAS):
        assert any(one.value.strip() in rationale for rationale in rationales) or "{seed}" in one.value, one.name
    card = (version / "README.md").read_text(encoding="utf-8")
    assert STEERS.search(card) is None
    assert "<script" not in card
    assert yaml.safe_load(card.split("---\n")[1])["pretty_name"] == "sums"


@pytest.mark.parametrize("one", [*corpus.MARKUP[:4], *corpus.MARKUP[-7:], corpus.TERMINAL[3], corpus.PATHS[1]], ids=str)
def test_a_card_is_no_more_than_a_card(done: Place, tmp_path: Path, one: Hostile) -> None:
    """Names and a policy's comment, put where a card shows them."""
    from selftaught_builder.export.card import render_card
    from selftaught_builder.export.facts import facts_of

    room = open_room(done.room)
    policy = {"name": "", "sql": f"answer = 'pass' -- {one.value}".replace("\0", "")}
    store, scope = room.store(), scope_of(room.store(), room)
    rows = rows_of(store, room.recipe, scope)
    funnel = funnel_of(store, room.recipe, scope)
    facts = facts_of(store, room.recipe, scope, funnel, {"answer": "1"}, {"train": rows}, [], "v1")
    names = ("kind", "model", "weights", "endpoint", "parameters", "recipe")
    made_with = [{**dict.fromkeys(names, one.value), "seed_honoured": None, "attempts": 1, "rows": 1}]
    hostile = {"run": one.value, "made_with": made_with, "sources": [one.value], "policy": policy, "licence": one.value}
    card = render_card({**facts, **hostile}, "v1")
    pooled = render_card({**facts, **hostile, "draw_on": "store"}, "v1")
    card += pooled.split("---\n", 2)[2]
    _, front, body = card.split("---\n", 2)
    assert yaml.safe_load(front)["license"] == one.value
    outside = re.sub(r"(?ms)^```sql\n.*?^```$", "", body)
    assert "```" not in outside, body
    for hostile in ("<script", "<img", "<iframe", "<svg"):
        assert hostile not in outside
    assert "\n# HOSTILE" not in outside
    assert STEERS.search(outside) is None


# The command line.

USES: dict[str, list[str]] = {
    "sample": ["sample", "TEXT"],
    "verify": ["verify", "TEXT"],
    "rationalize": ["rationalize", "TEXT"],
    "export": ["export", "TEXT"],
    "train": ["train", "TEXT"],
    "evaluate": ["evaluate", "TEXT"],
    "run": ["run", "TEXT"],
    "why": ["audit", "ROOM", "why", "TEXT"],
    "init": ["init", "TEXT", "--folder", "CWD"],
    "init like": ["init", "mine", "--like", "TEXT", "--folder", "CWD"],
    "audit": ["audit", "ROOM", "TEXT"],
    "audit policy": ["audit", "ROOM", "policy", "TEXT", "default"],
    "status run": ["status", "ROOM", "--run", "TEXT"],
    "status store": ["status", "ROOM", "--store", "TEXT"],
    "lineage": ["status", "ROOM", "--lineage", "TEXT"],
    "sql": ["sql", "ROOM", "TEXT"],
    "sql room": ["sql", "TEXT", "SELECT 1"],
    "status": ["status", "TEXT"],
    "recipe": ["recipe", "show", "TEXT"],
    "questions": ["questions", "ROOM", "--questions", "TEXT"],
    "push": ["push", "VERSION", "TEXT", "--dry-run"],
    "push version": ["push", "TEXT", "me/mine", "--dry-run"],
    "report": ["report", "ROOM", "--run", "TEXT"],
    "score": ["score", "TEXT"],
    "score verify": ["score", "SECRET", "--verify", "TEXT"],
    "score file": ["score", "SECRET", "--verify", "mine", "--file", "TEXT"],
    "from": ["run", "ROOM", "--from", "TEXT", "--dry-run"],
    "until": ["run", "ROOM", "--until", "TEXT", "--dry-run"],
    "doctor": ["doctor", "TEXT", "--no-endpoint"],
    "leakbench": ["leakbench", "TEXT"],
    "serve": ["serve", "TEXT"],
    "command": ["TEXT"],
}
OPENING = {"why", "audit policy", "status run", "lineage", "sql", "report", "from", "until", "doctor", "status store"}
"""Those that open a store or look at much, and so meet fewer texts: every 24th; the others meet every eighth."""


def test_every_command_meets_hostile_text() -> None:
    assert set(get_command(app).commands) == {use[0] for use in USES.values() if use[0] != "TEXT"}  # ty: ignore


def may_be_an_argument(text: str) -> bool:
    """Whether a system hands it to a program: no NUL, of bytes, and not too long."""
    try:
        return "\0" not in text and len(text.encode(errors="surrogateescape")) < 131_072
    except UnicodeEncodeError:
        return False


@pytest.mark.parametrize("use", USES)
def test_no_argument_breaks_the_command_line(small: Place, monkeypatch: pytest.MonkeyPatch, use: str) -> None:
    monkeypatch.chdir(small.base / "cwd")
    [version] = [path for path in small.room.iterdir() if path.name.startswith("v1-")]
    stand = {"ROOM": small.room, "CWD": small.base / "cwd", "VERSION": version, "SECRET": small.secret}
    before = tree(small.base)
    wrong = {}
    stride = 24 if use in OPENING else 8
    for one in corpus.TEXTS[list(USES).index(use) % stride :: stride]:
        if may_be_an_argument(one.value):
            arguments = [one.value if part == "TEXT" else stand.get(part, part) for part in USES[use]]
            try:
                if problem := wrong_with(inside(*arguments)):
                    wrong[one.name] = problem
            except Exception as error:  # all of them are to be seen at once
                wrong[one.name] = repr(error)[:300]
    assert wrong == {}
    made = {name for name in tree(small.base).keys() - before.keys() if not name.startswith("cwd/")}
    assert made == set()
    assert [
        path.name for path in (small.base / "cwd").iterdir() if not re.fullmatch(r"[a-z0-9_-]{1,64}", path.name)
    ] == []
    assert not Path("/tmp/HOSTILE").exists()


# Recipes.


def check_room(place: Place, commands: list[list[Any]]) -> str:
    """Run commands over a room; return what went wrong."""
    before = place.outside()
    for command in commands:
        try:
            problem = wrong_with(inside(*command))
        except Exception as error:  # all of them are to be seen at once
            problem = repr(error)[:300]
        if problem:
            return f"{command[0]}: {problem}"
    return "" if place.outside() == before else "something was written outside the room"


def each(
    corpus_part: list[Hostile], place: Place, write: Callable[[Hostile], None], commands: list[list[Any]]
) -> dict[str, str]:
    wrong = {}
    for one in corpus_part:
        write(one)
        if problem := check_room(place, commands):
            wrong[one.name] = problem
    return wrong


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = make_place(tmp_path)
    monkeypatch.chdir(tmp_path / "cwd")
    (made.room / "questions.jsonl").write_text('{"question": "2 + 3?", "answer": "5"}\n')
    return made


@pytest.mark.parametrize("kind", ["yaml", "recipe"])
def test_no_recipe_breaks_anything(place: Place, kind: str) -> None:
    def write(one: Hostile) -> None:
        text = one.value if isinstance(one.value, str) else yaml.safe_dump(one.value)
        (place.room / "recipe.yaml").write_text(text, encoding="utf-8")

    part, command = (corpus.YAML, "questions") if kind == "yaml" else (corpus.RECIPES, "sample")
    assert each(part, place, write, [["recipe", "show", place.room], [command, place.room]]) == {}


def test_no_text_in_a_recipe_breaks_anything(place: Place, server: OpenAIServer) -> None:
    """Text in places that hold any: names of fields, templates, systems, stops, policies, models."""
    server.configure(models=None)
    endpoint = {"kind": "openai", "model": "m", "base_url": server.url, "retries": 0}

    def write(one: Hostile) -> None:
        text = one.value[:3000]
        turn = int(one.name.split("-")[1])
        keys: list[dict[str, Any]] = [
            {"questions": {"source": "questions.jsonl", "question": text}},
            {"questions": {"source": "questions.jsonl", "answer": f"answer|after:{text}"}},
            {"questions": {"query": text}},
            {"prompt": {"examples": None, "system": text}, "endpoint": endpoint},
            {"prompt": {"template": text, "examples": None}},
            {"keep": f"answer = 'pass' AND completion <> '{text}'", "endpoint": endpoint},
            {"verify": ["answer", "hint_leak", text]},
            {"endpoint": {**endpoint, "model": text or "m"}},
            {"sample": {"stop": [text]}, "endpoint": endpoint},
            {"questions": {"source": text}},
            {"store": text},
        ]
        for path in place.room.glob("store.duckdb*"):
            if path.is_file():
                path.unlink()
        write_recipe(place.room, **{"endpoint": endpoint, **keys[turn % len(keys)]})

    assert each(corpus.TEXTS[::4], place, write, [["sample", place.room]]) == {}
    assert not Path("/tmp/HOSTILE").exists()


def test_no_file_of_questions_breaks_anything(place: Place) -> None:
    write_recipe(place.room)

    def write(one: Hostile) -> None:
        (place.room / "questions.jsonl").write_bytes(one.value)

    commands = [["questions", place.room], ["questions", place.room, "--json"]]
    assert each(corpus.QUESTION_FILES, place, write, commands) == {}
    for suffix in (".csv", ".parquet"):
        write_recipe(place.room, questions={"source": f"questions{suffix}"})

        def write_other(one: Hostile, suffix: str = suffix) -> None:
            (place.room / f"questions{suffix}").write_bytes(one.value)

        assert each(corpus.QUESTION_FILES, place, write_other, commands[:1]) == {}


def test_no_row_to_score_breaks_anything(place: Place) -> None:
    rows = [{"response": one.value, "gold": one.value, "question": one.value, "id": one.value} for one in corpus.TEXTS]
    good = [row for row in rows if row["gold"].strip()]
    file = place.room / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in good), encoding="utf-8")
    names = "answer,equations,hint_leak,degenerate,number_provenance"
    problem = check_room(place, [["score", file, "--verify", names], ["score", file, "--verify", names, "--table"]])
    assert problem == ""


def test_no_address_breaks_anything_or_shows_its_password(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-key")
    wrong = {}
    for place_, one in enumerate(corpus.URLS):
        write_recipe(place.room, endpoint={"kind": "openai", "model": "m", "base_url": one.value, "timeout": 5})
        for command in (["sample", place.room], ["doctor", place.room])[: 1 if place_ % 5 else 2]:
            try:
                ended = inside(*command)
            except Exception as error:  # all of them are to be seen at once
                wrong[one.name] = repr(error)[:300]
                continue
            if problem := wrong_with(ended):
                wrong[one.name] = problem
            if corpus.SECRET in ended.stdout + ended.stderr:
                wrong[one.name] = f"{command[0]} shows the password"
            if ended.returncode == 0:
                wrong[one.name] = f"{command[0]} finds nothing wrong"
        write_recipe(place.room, questions={"source": one.value or "."})
        if problem := wrong_with(inside("questions", place.room)):
            wrong[f"source {one.name}"] = problem
    assert wrong == {}
    assert place.outside().keys() == {"secret.csv"}


def test_no_file_in_a_stores_place_breaks_anything(place: Place) -> None:
    write_recipe(place.room, endpoint={"kind": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"})
    path = place.room / "store.duckdb"
    commands = [
        ["status", place.room],
        ["sql", path, "SELECT 1"],
        ["doctor", place.room, "--no-endpoint"],
        ["sample", place.room],
    ]

    def write(one: Hostile) -> None:
        path.write_bytes(one.value)

    assert each(corpus.STORES, place, write, commands) == {}
    for one in corpus.STORES[1:]:
        write(one)
        assert inside("status", place.room).returncode == 2, one.name
        assert path.read_bytes() == one.value, one.name


FOREIGN = "\x1b]0;HOSTILE\x07[/x][link=http://127.0.0.1:9]<script>HOSTILE</script>\u202e\n# HOSTILE "
FOREIGN_TEXT = [
    *("attempts.finish_reason", "attempts.endpoint", "attempts.model", "attempts.model_replied", "attempts.weights"),
    *("attempts.price_source", "attempts.error_text", "rounds.endpoint", "rounds.model", "rounds.weights"),
    *("verdicts.reason", "verdicts.answer", "questions.id", "questions.source", "dataset_versions.policy"),
    *("dataset_versions.version", "dataset_rows.version"),
]
FOREIGN_JSON = ["stages.detail", "attempts.provider", "attempts.parameters", "questions.meta", "rounds.honours"]


@pytest.mark.parametrize("columns", [FOREIGN_TEXT, [*FOREIGN_JSON, "verifiers.name"]], ids=["text", "JSON"])
def test_a_store_from_elsewhere_steers_nothing(small: Place, tmp_path: Path, columns: list[str]) -> None:
    shutil.copytree(small.room, tmp_path / "room")
    place = Place(tmp_path, tmp_path / "room", small.secret)
    with duckdb.connect(str(place.room / "store.duckdb")) as connection:
        for name in columns:
            table, column = name.split(".")
            new = "to_json($1::VARCHAR)" if name in FOREIGN_JSON else f"$1 || coalesce({column}, '')"
            connection.execute(f"UPDATE {table} SET {column} = {new}", [FOREIGN])
    page = place.room / "page.html"
    commands = [["status"], ["audit"], ["audit", "why", "1"], ["audit", "policy", "answer-only", "default"],
                ["report", "--html", page], ["run", "--dry-run"], ["export"], ["sql", "FROM attempts_wide"]]  # fmt: skip
    assert check_room(place, [[first, place.room, *rest] for first, *rest in commands]) == ""
    assert "<script>" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["\x1b[31mred", "[bold]room[/x]"])
def test_a_folders_name_steers_nothing(small: Place, tmp_path: Path, name: str) -> None:
    shutil.copytree(small.room, tmp_path / name)
    for command in ("status", "export"):
        assert wrong_with(inside(command, tmp_path / name)) == "", command


def test_no_reply_breaks_anything(place: Place, server: OpenAIServer) -> None:
    rows = [{"question": f"Number {place_}: 2 + 3?", "answer": "5"} for place_ in range(len(corpus.REPLIES))]
    (place.room / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    faults = [
        {"kind": "raw", "body": one.value, "after": number, "before": number + 1}
        for number, one in enumerate(corpus.REPLIES)
    ]
    server.configure(faults=faults)
    endpoint = {"kind": "openai", "model": "stand-in", "base_url": server.url, "retries": 0}
    write_recipe(place.room, endpoint=endpoint, sample={"k": 1, "concurrency": 1}, rationalize={"k": 0})
    commands = [["sample", place.room], ["verify", place.room], ["status", place.room, "--json"], ["audit", place.room]]
    assert check_room(place, commands) == ""
    [count] = open_room(place.room).store().sql("SELECT count(*) AS n FROM attempts")["n"]
    assert count == len(corpus.REPLIES)


def test_sql_reaches_nothing_but_the_store(small: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.base / "cwd")
    before = tree(small.base)
    store = open_room(small.room).store()
    out = re.compile(
        r"(FROM (read_|'|glob|sniff|parquet|query_table)|COPY|ATTACH|.*INSTALL|LOAD|DELETE|DROP|UPDATE|INSERT)"
    )
    wrong, refused = {}, 0
    for one in corpus.QUERIES:
        query = one.value.format(secret=small.secret, folder=small.base) if "{" in one.value else one.value
        try:
            said = repr(store.sql(query).to_dicts())
        except InputError as error:
            refused += 1
            said = str(error)
        except Exception as error:  # all of them are to be seen at once
            wrong[one.name] = repr(error)[:300]
            continue
        else:
            if out.match(query):
                wrong[one.name] = f"is not refused: {said[:100]}"
        if "the secret content" in said:
            wrong[one.name] = "it got out"
    assert wrong == {}
    assert refused > 50
    assert tree(small.base) == before


@pytest.mark.parametrize("one", corpus.QUERIES[::9], ids=str)
def test_the_command_sql_says_what_it_refuses(small: Place, one: Hostile) -> None:
    query = one.value.format(secret=small.secret, folder=small.base) if "{" in one.value else one.value
    if may_be_an_argument(query):
        for where in (small.room, small.room / "store.duckdb"):
            ended = inside("sql", where, query)
            assert wrong_with(ended) == ""
            assert "the secret content" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    "query",
    ["COPY (SELECT 1) TO 'HOSTILE.csv'", "ATTACH 'HOSTILE.duckdb' AS h", "", "COPY (SELECT 1) TO 'x'; SELECT 1"],
)
def test_a_query_for_questions_writes_nothing(place: Place, query: str) -> None:
    write_recipe(place.room, questions={"query": query or "\n"})
    before = tree(place.base)
    ended = inside("questions", place.room)
    assert (ended.returncode, wrong_with(ended)) == (2, "")
    assert tree(place.base) == before
