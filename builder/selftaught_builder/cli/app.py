"""The command line as a whole. A new command is a module of this room and a name in the list below.

Heavy imports stand inside the commands, so that `selftaught --help` starts at once; a test holds that.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer
from typer.exceptions import Exit, TyperException

from selftaught_builder.cli.audit import audit
from selftaught_builder.cli.doctor import doctor
from selftaught_builder.cli.evaluate import evaluate
from selftaught_builder.cli.export import export
from selftaught_builder.cli.init import init
from selftaught_builder.cli.leakbench import leakbench
from selftaught_builder.cli.push import push
from selftaught_builder.cli.questions import questions
from selftaught_builder.cli.rationalize import rationalize
from selftaught_builder.cli.recipe import recipes
from selftaught_builder.cli.report import report
from selftaught_builder.cli.run import run
from selftaught_builder.cli.sample import sample
from selftaught_builder.cli.score import score
from selftaught_builder.cli.serve import serve
from selftaught_builder.cli.show.stop import show_stop
from selftaught_builder.cli.sql import sql
from selftaught_builder.cli.status import status
from selftaught_builder.cli.train import train
from selftaught_builder.cli.verify import verify
from selftaught_builder.common.errors import SelftaughtError, Stopped, UserStop

INTERRUPTED = 130

app = typer.Typer(
    name="selftaught",
    help="Builds audited rationale datasets from questions with known answers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich help costs twice the CPU of everything else that `--help` does
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(recipes, name="recipe")
for command in (
    *(init, sample, verify, rationalize, export, run, train, evaluate, questions, status, sql, audit),
    *(score, leakbench, report, push, serve, doctor),
):
    app.command()(command)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        sys.stdout.write(f"selftaught {metadata.version('selftaught')}\n")
        raise Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong input, 3 budget spent, 130 interrupted."""
    _mend_streams()
    try:
        code = app(standalone_mode=False)
        if code == INTERRUPTED:  # typer's own answer to Ctrl-C
            raise UserStop
        sys.exit(code if isinstance(code, int) else 0)
    except Stopped as stop:
        show_stop(stop)
        sys.exit(stop.exit_code)
    except SelftaughtError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except Exit as exit_:
        sys.exit(exit_.exit_code)
    except TyperException as error:
        usage = getattr(error, "show", None)
        usage() if usage else _complain(str(error))
        sys.exit(2)
    except (KeyboardInterrupt, RuntimeError) as error:
        if type(error) is RuntimeError and not _is_interruption(error):  # subclasses are typer's, of Ctrl-C
            raise
        show_stop(UserStop())
        sys.exit(INTERRUPTED)
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            _complain(f"{error.filename or 'output'}: {error.strerror}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still to be flushed
        sys.exit(1)


def _is_interruption(error: Exception) -> bool:
    from selftaught_builder.store import is_interruption

    return is_interruption(error)


def _mend_streams() -> None:
    """Stand in for streams that were closed, and show what the terminal's encoding lacks as escapes."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (open to the end)
        elif mode == "w":
            stream.reconfigure(errors="backslashreplace")


def _complain(text: str) -> None:
    from selftaught_builder.cli.show.terminal import errors, plain

    errors.print("[bold red]error:[/] ", end="")
    errors.print(plain(text, lines=True), soft_wrap=True)
