"""Clients of one conversation on several gateways see one and the same talk, whoever dies."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from parley.codec import decode_event
from parley.conversation_state import NEW, ConversationStatus, fold
from parley.events import ConversationState, Event, MessageRecorded, StateRequested
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.gateway.clients import Client, Frame, connected
from tests.support.chatters import Chatter, chatting
from tests.support.processes import ServiceProcess
from tests.support.scale import amount
from tests.support.topics import read_records
from tests.support.wait import eventually

pytestmark = [pytest.mark.faults, pytest.mark.integration]

PATIENCE_S = 60
# The first three lie in partitions of their own, where one conversation's records are neighbours:
# what goes wrong by one record shows.
ROOMS = ("red", "blue", "two", *(f"room-{number}" for number in range(17)))
State = ConversationState


@asynccontextmanager
async def running(settings: Settings, count: int) -> AsyncIterator[list[ServiceProcess]]:
    """So many gateways, started side by side."""
    gateways = [ServiceProcess("gateway", settings) for _ in range(count)]
    async with AsyncExitStack() as stack:
        for gateway in gateways:
            stack.push(gateway)
        await asyncio.gather(*(asyncio.to_thread(gateway.start) for gateway in gateways))
        yield gateways


async def told(settings: Settings) -> dict[str, list[str]]:
    """The event ids of every conversation's messages in the order of the log; copies once."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for record in await read_records(settings, Topic.EVENTS):
        event = decode_event(record)
        if isinstance(event.body, MessageRecorded):
            found[event.conversation_id][event.event_id] = None
    return {conversation_id: list(ids) for conversation_id, ids in found.items()}


async def all_heard(chatters: Sequence[Chatter]) -> None:
    """Stop the talk and wait until everything is acknowledged, and heard by everybody."""
    for one in chatters:
        one.talks = False

    async def nothing_is_open() -> bool:
        return not any(one.unacknowledged for one in chatters)

    await eventually(nothing_is_open, PATIENCE_S)
    said = {
        conversation_id: {
            event_id
            for one in chatters
            if one.conversation_id == conversation_id
            for event_id in one.acknowledged.values()
        }
        for conversation_id in {one.conversation_id for one in chatters}
    }

    async def everybody_heard() -> bool:
        return all(said[one.conversation_id] <= one.seen.keys() for one in chatters)

    await eventually(everybody_heard, PATIENCE_S)


async def check_ledgers(settings: Settings, chatters: Sequence[Chatter]) -> None:
    """Nothing acknowledged is lost, and everybody saw the log: each once, in its order."""
    in_log = await told(settings)
    for one in chatters:
        log = in_log[one.conversation_id]
        lost = set(one.acknowledged.values()) - set(log)
        assert lost == set(), f"{one.name} was told of {len(lost)} that are not in the log"
        assert one.refused == {}, one.name
        assert one.gaps == [], one.name
        assert one.disorder == [], one.name
        assert list(one.seen) == log, one.name


@pytest.mark.parametrize("replicas", [2, 3])
async def test_clients_on_all_replicas_see_the_same_frames_in_the_same_order(
    settings: Settings, replicas: int
) -> None:
    async with running(settings, replicas) as gateways:
        # Each on a gateway of its own choice, two of every conversation on each.
        chatters = [
            Chatter(f"{room}-{place}-{number}", room, [gateways[place]], every_s=0.05)
            for room in ("one", "two")
            for place in range(replicas)
            for number in range(2)
        ]
        async with chatting(chatters):
            await asyncio.sleep(amount(3, 30))
            await all_heard(chatters)
    await check_ledgers(settings, chatters)
    assert min(len(one.acknowledged) for one in chatters) > 10
    assert [one.connection_count for one in chatters] == [1] * len(chatters)


@pytest.mark.timeout(1800)
async def test_kill_9_of_gateways_loses_doubles_and_reorders_nothing_for_any_client(
    settings: Settings,
) -> None:
    clients, kills, rooms = amount(30, 200), amount(3, 20), ROOMS[: amount(3, 20)]
    chance = random.Random(11)
    async with running(settings, 3) as gateways:
        chatters = [
            Chatter(
                f"client-{number}",
                rooms[number % len(rooms)],
                gateways,
                every_s=clients / 150,
                # So that there is something to miss.
                longest_away_s=2.0,
            )
            for number in range(clients)
        ]
        async with chatting(chatters):
            for _ in range(kills):
                await _until_more_is_said(chatters, 5 * clients)
                victim = chance.choice(gateways)
                victim.kill()
                await asyncio.sleep(chance.uniform(0.0, 1.0))
                await asyncio.to_thread(victim.start)
            await _until_more_is_said(chatters, 5 * clients)
            await all_heard(chatters)
    await check_ledgers(settings, chatters)
    assert sum(one.connection_count for one in chatters) >= clients + kills


async def _until_more_is_said(chatters: Sequence[Chatter], more: int) -> None:
    def count() -> int:
        return sum(len(one.acknowledged) for one in chatters)

    before = count()

    async def there_is_more() -> bool:
        return count() >= before + more

    await eventually(there_is_more, PATIENCE_S)


# --- two replicas ask at the same moment --------------------------------------------------------


class Rival:
    """A client that asks for states and writes down what it was told, in order."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._answers: dict[str, asyncio.Future[Frame]] = {}
        self.states: list[tuple[str, str]] = []

    async def listen(self) -> None:
        """Take what comes, until cancelled."""
        while True:
            frame = await self._client.receive()
            payload = frame["payload"]
            if frame["type"] in ("ack", "error"):
                self._answers[payload["id"]].set_result(frame)
            elif frame["type"] == "state_update":
                self.states.append((payload["event_id"], payload["state"]))

    async def ask(self, request_id: str, state: State) -> Frame:
        """Ask for a state; returns the ack or the error."""
        self._answers[request_id] = asyncio.get_running_loop().create_future()
        await self._client.send("state_update", request_id, state=state.value)
        async with asyncio.timeout(10):
            return await self._answers[request_id]


async def granted_in_log(settings: Settings) -> list[tuple[str, str]]:
    """The transitions that the log grants, by the rule and nothing else."""
    status: ConversationStatus = NEW
    granted = []
    for event, request in await state_requests(settings):
        status, is_granted = fold(status, event.event_id, request)
        if is_granted:
            granted.append((event.event_id, status.state.value))
    return granted


async def state_requests(settings: Settings) -> list[tuple[Event, StateRequested]]:
    events = [decode_event(record) for record in await read_records(settings, Topic.EVENTS)]
    return [(event, event.body) for event in events if isinstance(event.body, StateRequested)]


async def test_of_two_replicas_that_ask_at_once_one_wins_and_both_say_so(
    settings: Settings,
) -> None:
    rounds = amount(100, 1_000)
    codes: list[str] = []
    async with (
        running(settings, 2) as gateways,
        connected(gateways[0], "race") as first,
        connected(gateways[1], "race") as second,
        asyncio.TaskGroup() as group,
    ):
        rivals = []
        for name, client in (("first", first), ("second", second)):
            await client.hello(client_id=name, deliver="all")
            rivals.append(Rival(client))
        listening = [group.create_task(rival.listen()) for rival in rivals]
        assert (await rivals[0].ask("begin", State.LISTENING))["type"] == "ack"
        for number in range(rounds):
            winner, code = await _race(rivals, number)
            codes.append(code)
            # Both places lead back to where the next race begins.
            back = await winner.ask(f"back-{number}", State.LISTENING)
            assert back["type"] == "ack", back

        async def both_know() -> bool:
            return all(len(rival.states) == 2 * rounds + 1 for rival in rivals)

        await eventually(both_know)
        for task in listening:
            task.cancel()
    assert rivals[0].states == rivals[1].states == await granted_in_log(settings)
    # The replicas really did disagree: else this would be no race.
    assert "transition_lost" in codes


async def _race(rivals: list[Rival], number: int) -> tuple[Rival, str]:
    """One asks for IDLE and the other for PROCESSING, which exclude each other.

    Returns the winner and the code that the other one got.
    """
    goals = [State.IDLE, State.PROCESSING]
    if number % 2:
        goals.reverse()
    answers = await asyncio.gather(
        *(rival.ask(f"race-{number}", goal) for rival, goal in zip(rivals, goals, strict=True))
    )
    won = [rival for rival, answer in zip(rivals, answers, strict=True) if answer["type"] == "ack"]
    lost: list[Any] = [answer["payload"] for answer in answers if answer["type"] == "error"]
    assert (len(won), len(lost)) == (1, 1), answers
    assert lost[0]["code"] in ("transition_lost", "invalid_transition")
    assert not lost[0]["retryable"]
    return won[0], str(lost[0]["code"])
