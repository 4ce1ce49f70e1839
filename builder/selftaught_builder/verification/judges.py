"""Who judges: this process where there is little to do, else several processes; users' own code always in one apart."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from selftaught_builder.common.machine import usable_cores
from selftaught_builder.verification.chosen import Chosen
from selftaught_verifiers.isolation.worker import Crashed, Failed, TimedOut, Worker, WorkerError
from selftaught_verifiers.judging.judging import Judge, Judgement, JudgingCase, judging, specification, unscorable

FEW = 3000
"""Verdicts that this process makes itself: starting others would take longer."""

PATIENCE = 10.0
"""Seconds that a verifier may take over one attempt, or over one question's."""

SHORT_PATIENCE = 1.0
"""The same for one that has hung `HANGS` times in a row."""

HANGS = 3

FIRST_BLOCK = 32
"""Attempts of a user's verifier that are judged before the first verdicts are stored; each next block has twice as many."""

_CHUNK = 200
_CHUNK_PATIENCE = 300.0
_MEMORY = 4 << 30
_AHEAD = 2

Judged = list[list[list[Judgement]]]
Note = Callable[[str], None]
Batch = TypeVar("Batch")


@contextmanager
def judges(verifiers: Sequence[Chosen], expected: int, note: Note) -> Iterator[Judge]:
    """Yield the function that judges cases with these verifiers; it may be called from several threads.

    Args:
        verifiers: row and group verifiers; either all are ours or all are users' own.
        expected: how many verdicts there are to make.
        note: told, once, that a verifier hangs.
    """
    foreign = any(one.foreign for one in verifiers)
    if not foreign and expected < FEW:
        yield judging({one.name: one.verifier for one in verifiers if one.verifier})
        return
    specifications = [
        specification(one.verifier, file=one.file, installed=one.installed) for one in verifiers if one.verifier
    ]
    count = min(usable_cores(), max(1, expected // _CHUNK))
    workers = [_worker(specifications) for _ in range(count)]
    free = deque(workers)
    patience = _Patience(note)
    with ThreadPoolExecutor(count) as threads:

        def work(cases: Sequence[JudgingCase]) -> Judged:
            worker = free.pop()
            try:
                return _one_by_one(worker, cases, patience) if foreign else _together(worker, cases, patience)
            finally:
                free.append(worker)

        def judge(cases: Sequence[JudgingCase]) -> Judged:
            size = min(_CHUNK, -(-len(cases) // count))
            chunks = [cases[at : at + size] for at in range(0, len(cases), size)] if cases else []
            return [said for judged in threads.map(work, chunks) for said in judged]

        try:
            yield judge
        finally:
            for worker in workers:
                worker.close()


def read_ahead(batches: Iterable[Batch], judge: Callable[[Batch], Judged]) -> Iterator[tuple[Batch, Judged]]:
    """Yield each batch with its verdicts, the next ones being judged meanwhile, so that nobody waits while they are stored."""
    with ThreadPoolExecutor(_AHEAD) as threads:
        waiting: deque = deque()
        for batch in batches:
            waiting.append((batch, threads.submit(judge, batch)))
            if len(waiting) >= _AHEAD:
                batch, future = waiting.popleft()
                yield batch, future.result()
        for batch, future in waiting:
            yield batch, future.result()


def block_sizes(verifiers: Sequence[Chosen], most: int) -> Iterator[int]:
    """Yield the sizes of the blocks after which verdicts are stored; those of users' verifiers grow, since these may hang."""
    size = FIRST_BLOCK if any(one.foreign for one in verifiers) else most
    while True:
        yield size
        size = min(2 * size, most)


def _worker(specifications: Sequence[object]) -> Worker:
    target = "selftaught_verifiers.judging.judging:judge_with"
    return Worker(target, specifications, seconds=_CHUNK_PATIENCE, memory=_MEMORY)


class _Patience:
    """How long a verifier is waited for: less after it has hung several times in a row, so that a broken one ends."""

    def __init__(self, note: Note) -> None:
        self.note, self.hangs, self.said = note, Counter[str](), set[str]()

    def seconds(self, name: str) -> float:
        return PATIENCE if self.hangs[name] < HANGS else min(PATIENCE, SHORT_PATIENCE)

    def hung(self, name: str) -> None:
        self.hangs[name] += 1
        if name not in self.said:
            self.said.add(name)
            self.note(f"`{name}` hangs: no verdict within {PATIENCE:g} s; such attempts are unscorable")


def _together(worker: Worker, cases: Sequence[JudgingCase], patience: _Patience) -> Judged:
    try:
        judged = worker.call(cases)
    except WorkerError:
        return _one_by_one(worker, cases, patience)
    return [[[Judgement(*one) for one in answers] for answers in of_case] for of_case in judged]


def _one_by_one(worker: Worker, cases: Sequence[JudgingCase], patience: _Patience) -> Judged:
    """Case by case and verifier by verifier, so that what hangs or crashes is known and only its verdict is lost."""
    return [[_one(worker, case, name, patience) for name in case.names] for case in cases]


def _one(worker: Worker, case: JudgingCase, name: str, patience: _Patience) -> list[Judgement]:
    seconds = patience.seconds(name)
    try:
        said = worker.call([case._replace(names=[name])], seconds=seconds)[0][0]
        patience.hangs[name] = 0
        return [Judgement(*one) for one in said]
    except TimedOut:
        patience.hung(name)
        said = unscorable(f"verifier hung: no verdict within {seconds:g} s")
    except Crashed as error:
        said = unscorable(f"verifier crashed: {error}")
    except Failed as error:
        said = unscorable(f"verifier failed: {error}")
    return [said] * case.size
