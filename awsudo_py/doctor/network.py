"""Checks that STS answers in each region that the targets use, and that this machine's clock is right."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from awsudo_py.doctor.finding import Finding, ok, problem, warning
from awsudo_py.durations import brief
from awsudo_py.model import Request, RoleChain, Source
from awsudo_py.resolve.endpoints import Endpoints

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from awsudo_py.aws.reach import Reached
    from awsudo_py.context import Context

#: The most regions that are checked: those of most targets.
MOST = 6
#: Seconds: AWS accepts signatures up to 5 min before and after its own time (IAM user guide).
_CLOCK_WRONG, _CLOCK_OFF = 300.0, 30.0
_SET_CLOCK = "set the clock: sudo timedatectl set-ntp true (Linux), sudo sntp -sS time.apple.com (macOS)"


def check(context: Context, chains: Iterable[RoleChain]) -> Iterator[Finding]:
    """Check every STS that these chains call, at once; and the clock, by the first that answers."""
    from awsudo_py.aws.client import Aws
    from awsudo_py.aws.reach import reach

    count: dict[tuple[str | None, str | None], int] = {}
    first: dict[tuple[str | None, str | None], RoleChain] = {}
    for chain in chains:
        place = (chain.endpoint.region, chain.endpoint.url)
        first.setdefault(place, chain)
        count[place] = count.get(place, 0) + 1
    if not count:
        first[None, None] = _without_profile(context)
        count[None, None] = 1
    usual = sorted(count, key=lambda place: -count[place])[:MOST]
    found = [Aws(first[place], context.config, context.run.clock, context.clients) for place in usual]
    with ThreadPoolExecutor(len(found)) as threads:
        reached = list(threads.map(reach, found))
    answered = [each for each in reached if each.answered]
    if answered:
        names = ", ".join(f"{each.name} {each.seconds * 1000:.0f} ms" for each in answered)
        proxy = next((each.proxy for each in answered if each.proxy), "")
        yield ok("sts", f"{names}{f', through the proxy {proxy}' if proxy else ''}")
    for each in reached:
        if not each.answered:
            yield problem("sts", f"{each.name}: {each.why}", *each.hints)
    yield from _clock(answered)


def _without_profile(context: Context) -> RoleChain:
    """A chain to the STS that a role ARN alone would call."""
    source = Source("environment")
    endpoints = Endpoints(context.config, context.deciding)
    region, origin = endpoints.region(Request(), None, named=False)
    endpoint = endpoints.endpoint((), source, region, origin, None)
    return RoleChain("", source, (), endpoint, region, None)


def _clock(answered: list[Reached]) -> Iterator[Finding]:
    ahead = next((each.ahead for each in answered if each.ahead is not None), None)
    if ahead is None:
        return
    how = f"{brief(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} AWS"
    if abs(ahead) >= _CLOCK_WRONG:
        yield problem("clock", f"{how}: AWS rejects requests signed more than 5 min off", _SET_CLOCK)
    elif abs(ahead) >= _CLOCK_OFF:
        yield warning("clock", how, _SET_CLOCK)
    else:
        # a Date header counts whole seconds
        yield ok("clock", how if abs(ahead) >= 2 else "matches the time at AWS")
