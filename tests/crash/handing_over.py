"""A round that is handed over to the next, killed again and again meanwhile; and what must hold after each kill."""

from __future__ import annotations

import hashlib
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from crash import lives
from selftaught_builder.endpoints.fingerprint import fingerprint_weights
from selftaught_builder.loop.loop import Loop
from selftaught_builder.room.room import open_room
from selftaught_builder.stages.watcher import Silent
from support import servers
from support.rooms import server_room
from support.trainings import interpreter

HOOK, STAND_IN = (Path(servers.__file__).with_name(name) for name in ("serve_hook.py", "trainer_stand_in.py"))
# When a life is killed: within so many seconds after it began, after its training began, and after its trainer was done.
WITHIN = {"life": 0.8, "training": 0.8, "recording": 0.15}


class Telling(Silent):
    """Tells when a round's training begins.

    Args:
        trains: a file that is made then.
    """

    def __init__(self, trains: Path) -> None:
        self.trains = trains

    def note(self, text: str) -> None:
        """Tell it."""
        if "Axolotl" in text:
            self.trains.touch()


def live(folder: Path, until: str, trains: Path) -> None:
    """Run a room up to a step, or to this process's end."""
    Loop(open_room(folder), watcher=Telling(trains)).run(until=until)


class HandingOver:
    """Round 1 of a room of sums that has been exported, to be handed over to round 2.

    Args:
        folder: where the room is made.
        server: a stand-in that answers and takes checkpoints.
        seed: of the dice.
    """

    def __init__(self, folder: Path, server: servers.OpenAIServer, seed: int = 0) -> None:
        folder.mkdir()
        self.room, self._exported, self._trains = folder / "room", folder / "exported", folder / "trains"
        stand_in = interpreter(folder / "trainer", sys.executable, STAND_IN)
        self._env = {"SELFTAUGHT_TRAINER": str(stand_in), "STAND_IN_TRAINER": "slow"}
        self._dice = random.Random(seed)
        self.kills = Counter(dict.fromkeys(WITHIN, 0))
        _write(self.room, server)
        self._live("1/export").join()
        shutil.copytree(self.room, self._exported)
        self._forget()

    def again(self) -> None:
        """Begin anew with the exported round; kills go on to be counted."""
        shutil.rmtree(self.room)
        shutil.copytree(self._exported, self.room)
        self._forget()

    def end(self) -> None:
        """Hand over, undisturbed."""
        life = self._live()
        life.join()
        assert life.exitcode == 0
        self._take_stock()

    def kill(self) -> bool:
        """Let it live for a while, and look at what it leaves. Returns whether the round has been handed over."""
        moment, finished = self._dice.choice([*WITHIN]), self._has_finished()
        has_come: dict[str, Callable[[], bool]] = {
            "life": lambda: True,
            "training": self._trains.exists,
            "recording": lambda: not finished and self._has_finished(),
        }
        life = self._live()
        while life.is_alive() and not has_come[moment]():
            time.sleep(0.005)
        time.sleep(self._dice.uniform(0, WITHIN[moment]))
        life.kill()
        life.join()
        assert life.exitcode in (0, -9), life.exitcode
        self.kills[moment] += life.exitcode == -9
        self._take_stock()
        return bool(self._recorded)

    @property
    def began(self) -> int:
        """How often the training began."""
        kept = self.room / "trainings" / "trained"
        return len(kept.read_text().split()) if kept.exists() else 0

    def trainings(self) -> dict[str, tuple[Any, ...]]:
        """Return the finished trainings' rows by their ids, but for where they lie and what clocks say."""
        columns = "id, round, version, folder, model, weights, steps, losses, error"
        query = f"SELECT {columns} FROM trainings WHERE weights IS NOT NULL"
        return {row[0]: row for row in open_room(self.room).store().sql(query).rows()}

    def files(self) -> dict[str, str]:
        """Return the SHA-256 of each file of the versions and the checkpoints."""
        files = [file for pattern in ("v*-*/**/*", "trainings/*/model/*") for file in self.room.glob(pattern)]
        return {
            str(file.relative_to(self.room)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(files)
            if file.is_file()
        }

    def _forget(self) -> None:
        self._recorded: dict[str, tuple[Any, ...]] = {}
        self._times: int | None = None

    def _live(self, until: str = "2/sample") -> ForkServerProcess:
        self._trains.unlink(missing_ok=True)
        return lives.start(live, self.room, until, self._trains, env=self._env)

    def _take_stock(self) -> None:
        assert self._times in (None, self.began), "trained again after it was finished"
        recorded = self.trainings()
        assert recorded.items() >= self._recorded.items(), "what was recorded stands"
        for row in recorded.values():
            assert fingerprint_weights(self.room / row[4]) == row[5], "the checkpoint is the one recorded"
        self._recorded = recorded
        self._times = self.began if self._has_finished() else None

    def _has_finished(self) -> bool:
        """Whether the trainer has said that it is done, and was heard."""
        with suppress(FileNotFoundError):  # begun anew meanwhile
            return any('"event": "done"' in kept.read_text() for kept in self.room.glob("trainings/*/progress.jsonl"))
        return False


def _write(folder: Path, server: servers.OpenAIServer) -> None:
    server_room(
        folder,
        server.url,
        questions=8,
        endpoint={"kind": "external", "external": {"start": [sys.executable, str(HOOK), server.root], "startup": 30}},
        sample={"k": 1, "concurrency": 4},
        rationalize={"k": 0},
        verify=["answer"],
        keep="answer-only",
        train={"base_model": "org/model", "device": "cpu"},
        rounds={"count": 2, "patience": None, "fall": None},
    )
