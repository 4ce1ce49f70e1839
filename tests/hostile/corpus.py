"""Hostile inputs by kind: what somebody may write into a question, a reply, a recipe, a file, an address or a query.

Each is named by its kind and place in it (`terminal-3`), so that a failing test says which it was. Nothing here is random.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Hostile:
    """One input.

    Attributes:
        kind: what it attacks.
        name: the kind and its place.
        value: a text, or bytes where it is a file.
    """

    kind: str
    name: str
    value: Any

    def __str__(self) -> str:
        return self.name


def _of(kind: str, values: list[Any]) -> list[Hostile]:
    return [Hostile(kind, f"{kind}-{place}", value) for place, value in enumerate(values)]


MARK = "HOSTILE"
"""What a working escape, script, formula or template would leave for a test to find."""

# Text: may stand wherever text stands.

TERMINAL = _of(
    "terminal",
    [
        "\x1b[31mred\x1b[0m",
        "\x1b[2J\x1b[H cleared",
        "\x1b[1A\x1b[2K over the line before",
        "\x1b]0;HOSTILE title\x07",
        "\x1b]0;HOSTILE title\x1b\\",
        "\x1b]8;;http://127.0.0.1:9/HOSTILE\x1b\\a link\x1b]8;;\x1b\\",
        "\x1b]52;c;SE9TVElMRQ==\x07 clipboard",
        "\x1b]50;fontname\x07",
        "\x1b]1337;File=inline=1:SE9TVElMRQ==\x07",
        "\x1b]4;1;rgb:00/00/00\x1b\\",
        "\x1bP+q544e\x1b\\ device control",
        "\x1bPq#0;2;0;0;0#0~~\x1b\\ sixel",
        "\x1b_application\x1b\\",
        "\x1b^private\x1b\\",
        "\x1bXstring\x1b\\",
        "\x1bc reset",
        "\x1b[6n where is the cursor",
        "\x1b[5n\x1b[c who are you",
        "\x1b[?1049h another screen",
        "\x1b[?25l no cursor",
        "\x1b[?2004h paste",
        "\x1b[8;10;10t smaller",
        "\x1b[21t tell the title",
        "\x1b#8",
        "\x1b(0lqqk\x1b(B",
        "\x1b[5i print",
        "\x1b[20h",
        "\x9b31mred\x9b2J",
        "\x9d0;HOSTILE\x9c",
        "\x90q~\x9c",
        "\x84\x85\x8d\x8e",
        "\r overwritten",
        "first\rsecond\r\nthird",
        "\b\b\b\b\b gone",
        "\x07\x07 bell",
        "\x0b\x0c\x0e\x0f",
        "\x7f\x7f",
        "\x1b",
        "a\x1b",
        "\u202egnp.exe",
        "\u202d\u202cover",
        "\u2066x\u2069\u2067y\u2069\u2068z\u2069",
        "\u061c\u200e\u200f marks",
        "a\u200bb\u200cc\u200dd\ufeffe hidden",
        "\u2028line\u2029paragraph",
        "\u2060\u2061\u2062\u2063\u2064 invisible",
        "\U000e0041\U000e0042\U000e007f tags",
        "\u180e\u00ad\u034f soft",
        "[bold red]markup[/bold red] [/nope] [link=http://127.0.0.1:9]x[/link]",
        "\\[bold] [[x]] [/]",
        "\ufff9\ufffa\ufffb",
        "e" + "\u0301" * 400,
    ],
)

MARKUP = _of(
    "markup",
    [
        "<script>HOSTILE</script>",
        "</pre><script>alert('HOSTILE')</script>",
        "</title><script>HOSTILE</script>",
        "</style><script>HOSTILE</script>",
        "</code></details><iframe src=//127.0.0.1:9></iframe>",
        "<img src=x onerror=HOSTILE()>",
        "<svg onload=HOSTILE()>",
        "<svg><script>HOSTILE</script></svg>",
        "<a href='javascript:HOSTILE()'>x</a>",
        '<a href="data:text/html,<script>HOSTILE</script>">x</a>',
        "<meta http-equiv=refresh content='0;url=//127.0.0.1:9/HOSTILE'>",
        "<base href=//127.0.0.1:9/>",
        "<link rel=stylesheet href=//127.0.0.1:9/x.css>",
        "<form action=//127.0.0.1:9/><input name=x autofocus onfocus=HOSTILE()>",
        "<object data=//127.0.0.1:9/></object><embed src=//127.0.0.1:9/>",
        "<style>body{background:url(//127.0.0.1:9/HOSTILE)}</style>",
        '" onmouseover=HOSTILE() x="',
        "' autofocus onfocus='HOSTILE()",
        "--><script>HOSTILE</script><!--",
        "]]><script>HOSTILE</script>",
        "<scr\0ipt>HOSTILE</scr\0ipt>".replace("\0", ""),
        "<SCRIPT/SRC=//127.0.0.1:9/x.js></SCRIPT>",
        "<details open ontoggle=HOSTILE()>",
        "<math><mi xlink:href='javascript:HOSTILE()'>x",
        "&lt;script&gt;HOSTILE&lt;/script&gt;",
        "&#60;script&#62;",
        "| a | b |\n| --- | --- |\n| HOSTILE | cell |",
        "```\n# HOSTILE heading\n```",
        "![x](http://127.0.0.1:9/HOSTILE.png)",
        "[click](javascript:HOSTILE)",
        "---\nlicense: HOSTILE\n---",
        "$\\input{/etc/passwd}$ $x^{$",
    ],
)

SQL = _of(
    "sql",
    [
        "'; DROP TABLE attempts; --",
        '"; DROP TABLE attempts; --',
        "'); DELETE FROM questions; --",
        "' OR '1'='1",
        "' UNION SELECT * FROM verdicts --",
        "Robert'); DROP TABLE questions;--",
        "x' || (SELECT content FROM read_text('/etc/passwd')) || '",
        "'; ATTACH 'HOSTILE.duckdb' AS h; --",
        "'; COPY attempts TO 'HOSTILE.csv'; --",
        "'; INSTALL httpfs; LOAD httpfs; --",
        "'; PRAGMA enable_external_access; --",
        "/* comment",
        "-- comment",
        "$$dollar$$",
        "\\'; DROP TABLE attempts; --",
        "''''",
        '""',
        "%s %(x)s {x} {0} {{x}}",
        "? $1 :name",
        "attempts",
        "NULL",
        "x') = 'pass' OR (1",
        "1; SELECT 1",
        "E'\\x27'",
        "'\u2019; DROP TABLE attempts; --",
    ],
)

TEMPLATES = _of(
    "template",
    [
        "{{ 7 * 7 }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('touch HOSTILE').read() }}",
        "{{ lipsum.__globals__['os'].system('touch HOSTILE') }}",
        "{{ self.__init__.__globals__ }}",
        "{{ config }}",
        "{{ request.application }}",
        "{{ namespace.__init__.__globals__.os }}",
        "{% for x in range(10**9) %}x{% endfor %}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% extends 'x' %}",
        "{% raw %}{{ x }}",
        "{% endraw %}",
        "{# comment",
        "{{",
        "}}",
        "{%",
        "%}",
        "{{ x }",
        "${7*7}",
        "#{7*7}",
        "<%= 7*7 %>",
        "{{ question }} {{ gold }} {{ hint }}",
        "{seed}",
        "{0.__class__}",
        "%(x)s",
        "{{ '%c' % 1114112 }}",
    ],
)

PATHS = _of(
    "path",
    [
        "../HOSTILE",
        "../../../../../../tmp/HOSTILE",
        "/tmp/HOSTILE",
        "..",
        ".",
        "./../HOSTILE",
        "a/../../HOSTILE",
        "..\\HOSTILE",
        "C:\\HOSTILE",
        "\\\\127.0.0.1\\HOSTILE",
        "~/HOSTILE",
        "~root/HOSTILE",
        "~nobody-by-this-name/HOSTILE",
        "$HOME/HOSTILE",
        "${HOME}/HOSTILE",
        "%2e%2e%2fHOSTILE",
        "..%c0%afHOSTILE",
        "....//HOSTILE",
        "file:///tmp/HOSTILE",
        "/dev/null",
        "/dev/stdin",
        "/proc/self/environ",
        "/etc/passwd",
        "CON",
        "-rf",
        "--help",
        "-",
        ".hidden",
        " ",
        "a b/c d",
        "x" * 300,
        "/".join(["x" * 250] * 20),
        "HOSTILE;touch HOSTILE",
        "$(touch HOSTILE)",
        "`touch HOSTILE`",
        "HOSTILE|tee HOSTILE",
        "*",
        "[a-z]*",
        "**/*",
        "name\nwith lines",
    ],
)

FORMULAS = _of(
    "formula",
    [
        "=1+1",
        '=HYPERLINK("http://127.0.0.1:9/HOSTILE","x")',
        "=cmd|' /C calc'!A0",
        "+cmd|' /C calc'!A0",
        "-2+3+cmd|' /C calc'!A0",
        "@SUM(1+1)*cmd|' /C calc'!A0",
        '=IMPORTXML("http://127.0.0.1:9","//a")',
        "\t=1+1",
        "\r=1+1",
        '=DDE("cmd";"/C calc";"x")',
        'a,"b",c',
        'a\n"b',
        ";=1+1",
    ],
)

NUMBERS = _of(
    "number",
    [
        "9" * 5000,
        "-" + "9" * 400,
        "1e999999999",
        "1e-999999999",
        "0." + "0" * 3000 + "1",
        "9^9^9^9",
        "10**10**10",
        "1/0",
        "0/0",
        "NaN",
        "Infinity",
        "-0",
        "0x7fffffffffffffff",
        "1_000_000",
        "1,2,3,4,5,6,7",
        "\u0661\u0662\u0663",
        "\uff11\uff12",
        "\u00b2\u00b3",
        "\u2167",
        "((((((((((" * 200 + "1" + "))))))))))" * 200,
        "\\frac{" * 500,
        "2" + "+2" * 3000,
        "__import__('os').system('touch HOSTILE')",
        "eval('1')",
        "lambda: 0",
    ],
)

ENCODINGS = _of(
    "encoding",
    [
        "\0",
        "a\0b",
        "\ud800",
        "\udfff\ud800",
        "a\udc80b",
        "\ufffe\uffff",
        "\U0010ffff",
        "\ue000",
        "\u0130\u0131\u1e9e",
        "\ufb00\u338f\u2121",
        "\U0001d7cf\U0001d7d0",
        "",
        "   ",
        "\n\n\n",
        "\t",
        "x" * 200_000,
        "\u4e03" * 50_000,
        "( " * 5000,
        "<think>" * 200,
        "</think>",
        "<think>" + "x" * 1000,
        "\\boxed{" * 300,
        "####" * 300,
        "The answer is " * 300,
    ],
)

TEXTS = [*TERMINAL, *MARKUP, *SQL, *TEMPLATES, *PATHS, *FORMULAS, *NUMBERS, *ENCODINGS]

# Whole recipes.

_HEAD = "name: sums\nquestions: {source: questions.jsonl}\nprompt: {examples: null}\n"
_LAUGHS = "\n".join(
    [f"a0: &a0 [{', '.join(['lol'] * 9)}]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))]
)

YAML = _of(
    "yaml",
    [
        _HEAD + "description: !!python/object/apply:os.system ['touch HOSTILE']\n",
        _HEAD + "description: !!python/object/new:os.system ['touch HOSTILE']\n",
        _HEAD + "description: !!python/name:os.system\n",
        _HEAD + "description: !!python/module:os\n",
        _HEAD + "description: !!python/object/apply:subprocess.check_output [[touch, HOSTILE]]\n",
        _HEAD + "description: !unknown x\n",
        _HEAD + "description: !!binary SE9TVElMRQ==\n",
        _HEAD + "description: !!set {a, b}\n",
        _HEAD + "description: !!timestamp 2001-01-01\n",
        _HEAD + "description: !!float .nan\n",
        _HEAD + "description: !!int 0b1\n",
        _HEAD + "description: &a [*a]\n",
        _HEAD + "description: *missing\n",
        _HEAD + "<<: {description: merged}\n",
        _HEAD + "<<: [1]\n",
        _HEAD + _LAUGHS + "\n",
        _HEAD + f"verifiers:\n  {_LAUGHS.replace(chr(10), chr(10) + '  ')}\n",
        _HEAD + "endpoint:\n  extra_body:\n    " + _LAUGHS.replace("\n", "\n    ") + "\n",
        _HEAD + "description: " + "[" * 3000 + "]" * 3000 + "\n",
        _HEAD + "endpoint: {extra_body: " + "{a: " * 900 + "1" + "}" * 900 + "}\n",
        _HEAD + "? [a, b]\n: x\n",
        _HEAD + "? {a: b}\n: x\n",
        _HEAD + "1: x\n",
        _HEAD + "null: x\n",
        _HEAD + "true: x\n",
        _HEAD + "name: twice\n",
        _HEAD + "---\nname: second\n",
        _HEAD + "...\nrubbish\n",
        "%YAML 9.9\n---\n" + _HEAD,
        "%TAG ! tag:python.org,2002:\n---\n" + _HEAD,
        "\ufeff" + _HEAD,
        "\t" + _HEAD,
        "null\n",
        "42\n",
        "'text'\n",
        "[]\n",
        "{}\n",
        "- " * 2000,
        _HEAD + 'description: "\\0"\n',
        _HEAD + 'description: "\\x1b]0;HOSTILE\\x07"\n',
        _HEAD + 'description: "\\ud800"\n',
        _HEAD + 'description: "\\u202e"\n',
        _HEAD + 'keep: "answer = \'pass\' \\0"\n',
        _HEAD + 'store: "s\\0.duckdb"\n',
        _HEAD + 'prompt: {template: "t\\0"}\n',
        _HEAD + 'prompt: {examples: "e\\0.yaml"}\n',
        _HEAD.replace("questions.jsonl", '"q\\0.jsonl"'),
        _HEAD.replace("questions.jsonl", '"hf://a\\0/b"'),
        _HEAD.replace("name: sums", 'name: "s\\0"'),
        _HEAD + 'endpoint: {kind: local, model: "m\\0"}\n',
        _HEAD + 'endpoint: {kind: openai, model: m, base_url: "http://127.0.0.1:9/\\0"}\n',
        _HEAD + 'endpoint: {kind: openai, model: m, base_url: "http://127.0.0.1:9/v1", api_key_env: "A\\0B"}\n',
        _HEAD + 'endpoint: {kind: openai, model: m, base_url: "http://127.0.0.1:9/v1", api_key_env: "A=B"}\n',
        _HEAD + 'endpoint: {kind: openai, model: m, base_url: "http://127.0.0.1:9/v1", api_key_env: ""}\n',
        _HEAD + 'verifiers: {answer: {file: "c\\0.py"}}\n',
    ],
)  # fmt: skip

_WRONG: list[Any] = [
    None,
    True,
    -1,
    0,
    2**70,
    1e308,
    float("nan"),
    "\x1b[31m",
    "../x",
    [],
    [[]],
    {},
    {"a": 1},
    {"": None},
]
_KEYS = [
    "name", "description", "questions", "questions.source", "questions.query", "questions.question", "questions.answer",
    "questions.choices", "questions.id", "questions.kind", "questions.split", "questions.limit", "questions.shuffle",
    "questions.validate", "questions.evaluate", "prompt", "prompt.template", "prompt.examples", "prompt.shots",
    "prompt.style", "prompt.system", "endpoint", "endpoint.kind", "endpoint.model", "endpoint.base_url",
    "endpoint.api_key_env", "endpoint.timeout", "endpoint.retries", "endpoint.prices", "endpoint.slots",
    "endpoint.extra_body", "endpoint.sglang", "endpoint.external", "sample", "sample.k", "sample.temperature",
    "sample.top_p", "sample.max_tokens", "sample.stop", "sample.concurrency", "rationalize", "rationalize.k", "verify",
    "verifiers", "keep", "export", "export.per_question", "export.reasoning", "export.validation", "evaluate", "train",
    "train.recipe", "train.steps", "train.axolotl", "train.launcher_args", "rounds", "store",
]  # fmt: skip


def _recipe_with(key: str, value: Any) -> dict[str, Any]:
    recipe: dict[str, Any] = {
        "name": "sums",
        "questions": {"source": "questions.jsonl"},
        "prompt": {"examples": None},
        "endpoint": {"kind": "local", "model": "nowhere"},
    }
    section, _, inner = key.partition(".")
    if inner:
        recipe[section] = {**(recipe.get(section) or {}), inner: value}
    else:
        recipe[section] = value
    return recipe


# Every key with two wrong values of its own, by turns.
RECIPES = _of(
    "recipe",
    [
        _recipe_with(key, _WRONG[(3 * place + turn) % len(_WRONG)])
        for place, key in enumerate(_KEYS)
        for turn in range(2)
    ],
)

# Files of questions.

_GOOD = b'{"question": "2 + 3?", "answer": "5"}\n'
QUESTION_FILES = _of(
    "questions",
    [
        b"",
        b"\n\n\n",
        b"\0\0\0\0",
        b"\xff\xfe\xfd",
        b"\xef\xbb\xbf" + _GOOD,
        b"\x1f\x8b\x08\x00" + b"\0" * 50,
        b"PK\x03\x04" + b"\0" * 50,
        b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
        b"PAR1" + b"\0" * 50 + b"PAR1",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"question": ' + b"[" * 5000 + b"]" * 5000 + b', "answer": "5"}\n',
        b'{"question": "q", "question": "r", "answer": "5"}\n',
        b'{"question": "q", "answer": 1e400}\n',
        b'{"question": "q", "answer": NaN}\n',
        b'{"question": "q", "answer": ' + b"9" * 5000 + b"}\n",
        b'{"question": "q", "answer": -' + b"9" * 400 + b"}\n",
        b'{"question": "\\u0000", "answer": "5"}\n',
        b'{"question": "\\ud800", "answer": "5"}\n',
        b'{"question": "q", "answer": "\\udc00"}\n',
        b'{"question": {"$ref": "#"}, "answer": "5"}\n',
        b'{"question": ["q"], "answer": "5"}\n',
        b'{"question": null, "answer": null}\n',
        b'{"question": true, "answer": false}\n',
        b'{"__class__": "os.system", "question": "q", "answer": "5"}\n',
        b'{"question": "q", "answer": "5", "' + b"k" * 100_000 + b'": 1}\n',
        b'{"question": "' + b"x" * 2_000_000 + b'", "answer": "5"}\n',
        b"null\n",
        b"[1, 2]\n",
        b'"text"\n',
        b"<html><script>HOSTILE</script></html>\n",
        b"question,answer\n2 + 3,5\n",
        _GOOD[:-2],
        b"\x1b]0;HOSTILE\x07\n",
        _GOOD + b"\xff\n" + _GOOD,
        _GOOD.replace(b"\n", b"\r"),
    ],
)

# Addresses. Nothing answers at any of them.

SECRET = "hunter2-HOSTILE"
URLS = _of(
    "url",
    [
        f"http://user:{SECRET}@127.0.0.1:9/v1",
        f"https://{SECRET}@127.0.0.1:9/v1",
        f"http://127.0.0.1:9/v1?key={SECRET}",
        f"http://:{SECRET}@127.0.0.1:9",
        f"user:{SECRET}@127.0.0.1:9/v1",
        f"ftp://user:{SECRET}@127.0.0.1/",
        f"//user:{SECRET}@127.0.0.1/",
        f"http://127.0.0.1:9\\@{SECRET}/",
        "file:///etc/passwd",
        "file://127.0.0.1/etc/passwd",
        "ftp://127.0.0.1/x",
        "gopher://127.0.0.1:9/_x",
        "data:text/plain,x",
        "javascript:alert(1)",
        "unix:///var/run/docker.sock",
        "http+unix://%2Fvar%2Frun/x",
        "ldap://127.0.0.1:9/",
        "ws://127.0.0.1:9/",
        "http://",
        "http:///v1",
        "http://:80",
        "http://127.0.0.1:99999/v1",
        "http://127.0.0.1:-1/v1",
        "http://127.0.0.1:x/v1",
        "http://[::1",
        "http://[::1]x:9/v1",
        "http://127.0.0.1:9/v1#fragment",
        "http://127.0.0.1:9/\r\nX-Injected: HOSTILE",
        "http://127.0.0.1:9/\x1b[31m",
        "http://127.0.0.1:9/../../x",
        "http://127.0.0.1:9/v1 HTTP/1.1",
        "http://127.0.0.1:9/\u202e",
        "http://\u2025.invalid/",
        "http://xn--a/",
        "",
        " ",
        "127.0.0.1:9",
        "/v1",
        "h" * 5000,
        "http://" + "a" * 5000 + ".invalid/",
    ],
)

# Files in a store's place.

STORES = _of(
    "store",
    [
        b"",
        b"\0",
        b"\0" * 20_000,
        b"\xff" * 20_000,
        b"SQLite format 3\0" + b"\0" * 4096,
        b"DUCK" + b"\0" * 20_000,
        b"\0" * 8 + b"DUCK" + b"\0" * 20_000,
        b"\0" * 8 + b"DUCK" + b"\xff" * 20_000,
        b"\0" * 8 + b"DUCK" + b"@" + b"\0" * 12_000,
        b"PK\x03\x04" + b"\0" * 4096,
        b"\x80\x04\x95" + b"\0" * 4096,
        b"#!/bin/sh\ntouch HOSTILE\n",
        b"-- SQL\nDROP TABLE attempts;\n",
        b"\x1b]0;HOSTILE\x07" * 500,
    ],
)

# Queries to `selftaught sql`: each would read, write or load something outside the store, or change it.

QUERIES = _of(
    "query",
    [
        "FROM read_text('{secret}')",
        "FROM read_blob('{secret}')",
        "FROM read_csv('{secret}', header=false, columns={{'a': 'VARCHAR'}})",
        "FROM read_csv_auto('{secret}')",
        "FROM read_json('{secret}')",
        "FROM read_json_objects('{secret}')",
        "FROM read_parquet('{secret}')",
        "FROM parquet_metadata('{secret}')",
        "FROM '{secret}'",
        "FROM sniff_csv('{secret}')",
        "FROM glob('{folder}/*')",
        "FROM read_text('http://127.0.0.1:9/x')",
        "FROM 'https://127.0.0.1:9/x.parquet'",
        "FROM 's3://bucket/x.parquet'",
        "COPY attempts TO '{folder}/HOSTILE.csv'",
        "COPY (SELECT 1) TO '{folder}/HOSTILE.parquet' (FORMAT parquet)",
        "COPY attempts FROM '{secret}'",
        "COPY (SELECT 1) TO '/dev/stdout'",
        "EXPORT DATABASE '{folder}/HOSTILE'",
        "IMPORT DATABASE '{folder}'",
        "ATTACH '{folder}/HOSTILE.duckdb' AS h",
        "ATTACH ':memory:' AS h",
        "ATTACH '{secret}' AS h (TYPE sqlite)",
        "DETACH store",
        "INSTALL httpfs",
        "LOAD httpfs",
        "FORCE INSTALL httpfs FROM 'http://127.0.0.1:9'",
        "LOAD '{secret}'",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "RESET enable_external_access",
        "PRAGMA enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET home_directory = '{folder}'",
        "SET temp_directory = '{folder}/HOSTILE'",
        "SET log_query_path = '{folder}/HOSTILE'",
        "SET GLOBAL threads = 1000",
        "PRAGMA enable_profiling = 'json'",
        "PRAGMA profiling_output = '{folder}/HOSTILE'",
        "CREATE SECRET (TYPE s3, KEY_ID 'x', SECRET 'y')",
        "CREATE PERSISTENT SECRET h (TYPE s3)",
        "DELETE FROM attempts",
        "DROP TABLE attempts",
        "UPDATE attempts SET completion = 'HOSTILE'",
        "INSERT INTO attempts (id) VALUES ('HOSTILE')",
        "CREATE TABLE HOSTILE (x INTEGER)",
        "CREATE OR REPLACE VIEW attempts_wide AS SELECT 1",
        "CREATE FUNCTION attempts_x() AS TABLE (FROM read_text('{secret}'))",
        "ALTER TABLE attempts DROP COLUMN completion",
        "TRUNCATE attempts",
        "CHECKPOINT",
        "FORCE CHECKPOINT",
        "VACUUM",
        "BEGIN; DELETE FROM attempts; COMMIT",
        "SELECT 1; DROP TABLE attempts",
        "PREPARE h AS DELETE FROM attempts",
        "CALL pragma_database_size(); DROP TABLE attempts",
        "SELECT getenv('HOME')",
        "FROM duckdb_secrets()",
        "FROM python_map_function()",
        "FROM sys",
        "FROM connection",
        "SELECT query FROM query('DROP TABLE attempts')",
        "FROM query_table('{secret}')",
        "USE memory",
        "",
        ";",
        "\0",
        "SELECT '\ud800'",
        "(" * 3000,
        "SELECT " + "(" * 900 + "1" + ")" * 900,
    ],
)

# Bodies of replies with status 200.


def _reply(**message: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}]})


REPLIES = _of(
    "reply",
    [
        "",
        "null",
        "[]",
        "{}",
        "42",
        '"text"',
        "NaN",
        '{"choices": NaN}',
        '{"choices": null}',
        '{"choices": {}}',
        '{"choices": []}',
        '{"choices": [null]}',
        '{"choices": [{}]}',
        '{"choices": [{"message": null}]}',
        '{"choices": [{"message": []}]}',
        '{"choices": [{"message": {"content": {}}}]}',
        '{"choices": [{"message": {"content": 42}}]}',
        '{"choices": [{"message": {"content": ["\\u001b[31m"]}}]}',
        "[" * 50_000,
        '{"a":' * 50_000,
        '{"choices": [{"message": {"content": "' + "x" * 100_000,
        _reply(content="\x1b]0;HOSTILE\x07 The answer is 5."),
        _reply(content="\0\ud800 The answer is 5."),
        _reply(content="The answer is 5.", reasoning_content="\x1b[2J" * 100),
        _reply(content="The answer is 5.", refusal="\x1b[31m"),
        _reply(content="The answer is 5.", tool_calls=[{"function": {"name": "x", "arguments": "rm -rf /"}}]),
        _reply(content="<script>HOSTILE</script> The answer is 5."),
        _reply(content="'; DROP TABLE attempts; -- The answer is 5."),
        '{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": 1e400, "completion_tokens": -1}}',
        '{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": ' + "9" * 400 + "}}",
        '{"choices": [{"message": {"content": "x"}}], "usage": [1]}',
        '{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": "\\u001b[31m"}}',
        '{"choices": [{"message": {"content": "x"}}], "model": "\\u001b]0;HOSTILE\\u0007"}',
        '{"choices": [{"message": {"content": "x"}}], "model": {"a": [1]}}',
        '{"choices": [{"message": {"content": "x"}}], "id": "' + "i" * 100_000 + '"}',
        '{"choices": [{"message": {"content": "x"}, "finish_reason": "\\u001b[31m"}]}',
        '{"choices": [{"message": {"content": "x"}, "finish_reason": 42}]}',
        '{"choices": [{"message": {"content": "x"}}], "choices": null}',
        '{"error": {"message": "\\u001b]0;HOSTILE\\u0007"}}',
        "<html><script>HOSTILE</script></html>",
        "data: {}\n\n",
        "\x1b[31m",
    ],
)

EVERYTHING = [*TEXTS, *YAML, *RECIPES, *QUESTION_FILES, *URLS, *STORES, *QUERIES, *REPLIES]
