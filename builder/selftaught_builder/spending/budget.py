"""Budgets: what a run may spend, and what it has spent in all its sittings.

A request is sent only where what is spent, what the requests in flight hold and what it may itself cost at most stay within
the budget: it can be overrun only by what a request in flight takes over its most. What is spent is read from the attempts,
each try of which is a row; there is no other account that could disagree with them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from selftaught_builder.common.errors import BudgetStop, InputError
from selftaught_builder.endpoints.base import Reply
from selftaught_builder.endpoints.prices import known_prices
from selftaught_builder.prompts.sizes import OVERHEAD
from selftaught_builder.recipe import Budget as Limits
from selftaught_builder.recipe import EndpointSettings, Prices
from selftaught_builder.store import Store

REFUSALS = ("bad_request", "auth", "rate_limit", "server", "certificate", "redirect", "unreachable")
"""Errors of tries that cost nothing: no completion was made. Of the others nobody knows."""
FREE = Prices(input=0, output=0)
_WORDS = {"usd": "${:,.4f}", "tokens": "{:,.0f} tokens", "attempts": "{:,.0f} attempts", "seconds": "{:,.0f} seconds"}

# What a try has cost; where that is unknown, what it may have cost at most.
_TRIES = f"""
    SELECT a.question, a.round, a.cost, a.error IN {REFUSALS} AS refused,
        coalesce(a.tokens_in, if(refused, 0, strlen(coalesce(p.messages, '')) + {OVERHEAD})) AS tokens_in,
        coalesce(a.tokens_out, if(refused, 0, greatest(
            TRY_CAST(a.parameters ->> 'max_tokens' AS BIGINT),
            TRY_CAST(a.parameters ->> 'max_completion_tokens' AS BIGINT), 0))) AS tokens_out
    FROM attempts a LEFT JOIN prompts p ON p.hash = a.prompt WHERE a.run = $run"""
_SPENT = f"""
    SELECT if($each, question, ''), round, count(*), sum(tokens_in + tokens_out),
        sum(coalesce(cost, (tokens_in * $input + tokens_out * $output) / 1e6))
    FROM ({_TRIES}) GROUP BY ALL"""
# The time in which some request was under way: the union of the requests' times.
_SECONDS = """
    WITH spans AS (
        SELECT epoch(created_at) - latency AS begun, epoch(created_at) AS ended
        FROM attempts WHERE run = $run AND round >= $first AND round <= $last),
    after AS (SELECT *, max(ended) OVER (ORDER BY begun, ended ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered
        FROM spans)
    SELECT coalesce(sum(greatest(0, ended - greatest(begun, coalesce(covered, begun)))), 0) FROM after"""


class LimitScope(StrEnum):
    """What a limit is about, as a person is told; a round's is called by its number, such as `round 2`."""

    RUN = "the run"
    QUESTION = "a question"


@dataclass(slots=True)
class Amount:
    """What was spent, or may be: dollars, tokens, tries."""

    usd: float = 0.0
    tokens: int = 0
    attempts: int = 0

    def add(self, other: Amount, sign: int = 1) -> None:
        """Add another amount, or take it off."""
        self.usd += sign * other.usd
        self.tokens += sign * other.tokens
        self.attempts += sign * other.attempts


@dataclass
class Account:
    """What one thing (the run, a round, a question) has spent, and what the requests in flight for it hold.

    Attributes:
        limits: what it may spend: the limits that are set, by their names.
        title: what it is called.
        key: where the limits stand in the recipe.
    """

    limits: dict[str, float]
    title: str
    key: str
    spent: Amount = field(default_factory=Amount)
    held: Amount = field(default_factory=Amount)
    seconds: float = 0.0

    def hold(self, most: Amount) -> None:
        """Hold what a request may cost."""
        self.held.add(most)

    def settle(self, most: Amount, cost: Amount) -> None:
        """Count what it has cost instead."""
        self.held.add(most, -1)
        if not self.held.attempts:
            self.held = Amount()  # of dollars something is left over by rounding
        self.spent.add(cost)

    def short(self, wanted: Amount) -> str | None:
        """Return the limit that leaves no room for this even if nothing in flight cost anything, None where there is room."""
        return next((name for name in self.limits if self._needed(name, wanted) > self.limits[name]), None)

    def must_wait(self, wanted: Amount) -> bool:
        """Whether there is no room as long as the requests in flight may cost what they hold."""
        return any(
            name != "seconds" and self._needed(name, wanted) + getattr(self.held, name) > limit
            for name, limit in self.limits.items()
        )

    def amount(self, name: str) -> float:
        """What is spent of a limit."""
        return self.seconds if name == "seconds" else getattr(self.spent, name)

    def stop(self, name: str, wanted: Amount) -> BudgetStop:
        """Return the error that says that a limit is reached."""
        allowed, spent = self.limits[name], self.amount(name)
        limit, taken = (_WORDS[name].format(amount) for amount in (allowed, spent))
        more = "" if name in ("seconds", "attempts") else f", and the next request may cost {_of(wanted, name)}"
        said = f"the budget of {self.title}, {limit}, leaves no room: {taken} are spent{more}"
        return BudgetStop(said, limit=f"{self.key}.{name}", allowed=allowed, spent=spent)

    def _needed(self, name: str, wanted: Amount) -> float:
        if name == "seconds":  # what a request takes nobody knows; once they are over nothing is sent
            return self.seconds if self.seconds < self.limits[name] else float("inf")
        return getattr(self.spent, name) + getattr(wanted, name)


@dataclass(frozen=True, slots=True)
class Hold:
    """What one request in flight may cost at most, and for which question."""

    question: str
    most: Amount
    prices: Prices


class Budget:
    """The accounts of one run. Belongs to one event loop.

    Args:
        limits: the recipe's.
        round_number: the round at work.
    """

    def __init__(self, limits: Limits, round_number: int) -> None:
        place, of_round, of_question = "sample.budget", limits.per_round, limits.per_question
        self._run = Account(_set(limits, "seconds"), LimitScope.RUN, place)
        self._round = Account(_set(of_round, "seconds"), f"round {round_number}", f"{place}.per_round")
        self._each = _set(of_question)
        self._questions: dict[str, Account] = {}
        self._in_flight, self._since, self._closed = 0, 0.0, False
        self._changed = asyncio.Event()

    @classmethod
    def of(
        cls, store: Store | None, run: str, round_number: int, limits: Limits | None, prices: Prices | None
    ) -> Budget | None:
        """Return the accounts of a run with what its attempts have cost so far; None where nothing is limited.

        Args:
            store: holds the attempts; its journal is committed. None where there is none yet.
            run: the run.
            round_number: the round at work.
            limits: the recipe's.
            prices: of the endpoint that is asked, of several the dearest: at them tries count whose cost is not known.
        """
        if limits is None:
            return None
        budget = cls(limits, round_number)
        if store is None:
            return budget
        charged = prices or FREE
        at = {"run": run, "input": charged.input, "output": charged.output, "each": bool(budget._each)}
        with store.read() as connection:
            for question, number, tries, tokens, usd in connection.execute(_SPENT, at).fetchall():
                cost = Amount(float(usd), int(tokens), tries)
                for account in budget._accounts(question, of_round=number == round_number):
                    account.spent.add(cost)
            for account, first, last in ((budget._run, 0, 2**31 - 1), (budget._round, round_number, round_number)):
                if "seconds" in account.limits:
                    within = {"run": run, "first": first, "last": last}
                    account.seconds = connection.execute(_SECONDS, within).fetchall()[0][0]
        return budget

    @property
    def accounts(self) -> list[Account]:
        """The accounts of the run and of the round at work."""
        return [self._run, self._round]

    @property
    def questions(self) -> list[Account]:
        """The accounts of the questions that have spent something, where theirs is limited."""
        return list(self._questions.values())

    async def hold(
        self, question: str, tokens_in: Callable[[], int], tokens_out: int, prices: Prices | None
    ) -> Hold | None:
        """Wait until there is room for a request, and hold what it may cost at most.

        Args:
            question: the question's hash.
            tokens_in: says the most that its prompt may have, as far as is known by then.
            tokens_out: the most that its completion may have.
            prices: what it is charged at; needed where dollars are limited.

        Returns:
            What is held; None where the question has spent its own budget, or nothing is to be sent any more.

        Raises:
            BudgetStop: the run's or the round's budget leaves no room for it, whatever the requests in flight cost.
        """
        prices = prices or FREE
        while not self._closed:
            most = _amount(prices, tokens_in(), tokens_out)
            self._count_time()
            for account in (self._run, self._round):
                if name := account.short(most):
                    raise account.stop(name, most)
            if self._each and self._question(question).short(most):
                return None
            accounts = self._accounts(question)
            if not any(account.must_wait(most) for account in accounts):
                for account in accounts:
                    account.hold(most)
                self._in_flight += 1
                return Hold(question, most, prices)
            self._changed.clear()
            await self._changed.wait()
        return None

    def settle(self, hold: Hold, reply: Reply | None) -> None:
        """Count what a request has cost instead of what it held; nothing where it was dropped, since no row will say so."""
        self._count_time()
        self._in_flight -= 1
        cost = Amount() if reply is None else _cost(hold, reply)
        for account in self._accounts(hold.question):
            account.settle(hold.most, cost)
        self._changed.set()

    def close(self) -> None:
        """Send nothing any more; whoever waits for room gets none."""
        self._closed = True
        self._changed.set()

    def _accounts(self, question: str, *, of_round: bool = True) -> list[Account]:
        """The accounts that something counts in."""
        accounts = [self._run, self._round] if of_round else [self._run]
        return [*accounts, self._question(question)] if self._each else accounts

    def _question(self, question: str) -> Account:
        if question not in self._questions:
            self._questions[question] = Account(self._each, LimitScope.QUESTION, "sample.budget.per_question")
        return self._questions[question]

    def _count_time(self) -> None:
        """Count the time since the last look where a request was under way."""
        now = time.monotonic()
        if self._in_flight:
            for account in (self._run, self._round):
                account.seconds += now - self._since
        self._since = now


def check_priceable(limits: Limits | None, settings: EndpointSettings) -> None:
    """Check that what a limit in dollars needs is known: what the endpoint and its replicas charge.

    APIs may say so when they are asked who they are.

    Raises:
        InputError: dollars are limited, and nobody will know what the endpoint charges.
    """
    for door in settings.doors:
        if door.kind != "openai":
            prices_of(limits, door)


def prices_of(limits: Limits | None, settings: EndpointSettings, listed: Prices | None = None) -> Prices | None:
    """Return what one endpoint charges; None where that is unknown and not needed.

    Args:
        limits: the budget.
        settings: the endpoint; its replicas are others.
        listed: what the server says, which the recipe can overrule.

    Raises:
        InputError: dollars are limited, and nobody knows what the endpoint charges.
    """
    parts = (limits, limits.per_round, limits.per_question) if limits else ()
    if not any(part is not None and part.usd is not None for part in parts):
        return settings.prices or listed
    prices = known_prices(settings) or listed
    if prices is None:
        raise InputError(
            f"limits dollars, and nobody knows what `{settings.model}` charges{_at(settings)}",
            place="sample.budget",
            mend="Give `prices: {input: …, output: …}` per million tokens with the endpoint (0 for what costs nothing; a "
            "replica with a `kind`, `model` or key of its own needs its own), or limit tokens.",
        )
    return prices


def _at(settings: EndpointSettings) -> str:
    return f" at {settings.base_url}" if settings.base_url else ""


def _amount(prices: Prices, tokens_in: int, tokens_out: int) -> Amount:
    usd = (tokens_in * prices.input + tokens_out * prices.output) / 1e6
    return Amount(usd, tokens_in + tokens_out, 1)


def _cost(hold: Hold, reply: Reply) -> Amount:
    if reply.tokens_in is None or reply.tokens_out is None:
        known = Amount(attempts=1) if reply.error in REFUSALS else hold.most
    else:
        known = _amount(hold.prices, reply.tokens_in, reply.tokens_out)
    return known if reply.cost is None else Amount(reply.cost, known.tokens, 1)


def _set(limits: object, *further: str) -> dict[str, float]:
    """The limits that are set, by name."""
    found = {name: getattr(limits, name, None) for name in ("usd", "tokens", "attempts", *further)}
    return {name: limit for name, limit in found.items() if limit is not None}


def _of(wanted: Amount, name: str) -> str:
    return _WORDS[name].format(getattr(wanted, name))
