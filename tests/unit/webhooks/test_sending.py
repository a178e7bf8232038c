"""A request goes out once, to the address that was checked, and every failure is an answer."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from parley.webhooks.addresses import target_of
from parley.webhooks.sending import Answer, Limits, send, tls_context

HERE = [ip_network("127.0.0.0/8")]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The URL of a receiver on this machine."""
    conversations: list[asyncio.Task[None] | None] = []

    async def serve_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.append(asyncio.current_task())
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await serve(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve_and_close, "127.0.0.1", 0, ssl=context)
    try:
        scheme = "http" if context is None else "https"
        yield f"{scheme}://localhost:{server.sockets[0].getsockname()[1]}/in?a=1"
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.gather(*(one for one in conversations if one is not None))


def answering(text: str, seen: list[bytes] | None = None) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.extend([head, await reader.readexactly(2)])
        writer.write(text.replace("\n", "\r\n").encode())
        await writer.drain()

    return serve


async def post(url: str, timeout_s: float = 5) -> Answer:
    headers = {"Parley-Signature": "t=1"}
    return await send(target_of(url), headers, b"{}", Limits(timeout_s, HERE))


async def test_a_request_is_a_post_with_its_headers_and_body() -> None:
    seen: list[bytes] = []
    async with served(answering("HTTP/1.1 204 No Content\n\n", seen)) as url:
        answer = await post(url)
    assert (answer.status, answer.problem, answer.is_success) == (204, "", True)
    head, body = seen
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /in?a=1 HTTP/1.1"
    assert lines[1].startswith("Host: localhost:")
    assert {"Parley-Signature: t=1", "Content-Length: 2"} <= set(lines)
    assert body == b"{}"


@pytest.mark.parametrize("status", [301, 302, 307, 400, 410, 500])
async def test_another_status_is_no_success_and_redirects_are_not_followed(status: int) -> None:
    seen: list[bytes] = []
    text = f"HTTP/1.1 {status} No\nLocation: http://127.0.0.1:1/\n\n"
    async with served(answering(text, seen)) as url:
        answer = await post(url)
    assert (answer.status, answer.problem) == (status, f"http_{status}")
    assert not answer.is_success
    assert len(seen) == 2


async def test_a_wish_for_a_later_attempt_is_noted_and_bounded() -> None:
    wishes = (("7", 7), ("999999", 3_600), ("9" * 5_000, 0), ("Fri, 31 Dec 2100 23:59:59 GMT", 0))
    for text, seconds in wishes:
        head = f"HTTP/1.1 503 Busy\nRetry-After: {text}\n\n"
        async with served(answering(head)) as url:
            assert (await post(url)).retry_after_seconds == seconds


async def test_a_body_without_an_end_is_not_read() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with served(endless) as url:
        answer = await post(url)
    assert answer.is_success
    assert answer.latency_seconds < 2


async def test_a_head_without_an_end_and_what_is_no_http_are_problems() -> None:
    long = "HTTP/1.1 200 OK\n" + "X: y\n" * 20_000
    for text in (long, "hello\n\n"):
        async with served(answering(text)) as url:
            assert (await post(url)).problem == "not_http"


async def test_a_receiver_that_says_nothing_is_given_so_much_time_and_no_more() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with served(silent) as url:
        answer = await post(url, 0.2)
    assert (answer.status, answer.problem) == (None, "timeout")
    assert 0.1 < answer.latency_seconds < 2


async def test_a_receiver_that_is_not_there_is_a_problem() -> None:
    async with served(answering("")) as url:
        pass
    assert (await post(url)).problem == "connection_refused"
    async with served(answering("")) as url:
        assert (await post(url)).problem in ("not_http", "connection_lost")
    unknown = await send(target_of("https://no.such.invalid/"), {}, b"{}", Limits(5))
    assert unknown.problem == "unreachable"


async def test_a_forbidden_address_is_not_connected_to() -> None:
    seen: list[bytes] = []
    async with served(answering("HTTP/1.1 200 OK\n\n", seen)) as url:
        refused = await send(target_of(url), {}, b"{}", Limits(5))
        by_number = await send(target_of(url.replace("localhost", "127.1")), {}, b"{}", Limits(5))
    assert refused.problem == "forbidden: the name leads to a loopback address"
    assert by_number.problem == refused.problem
    assert seen == []


def certificate_for(name: str, folder: Path) -> tuple[Path, Path]:
    """A certificate that vouches for itself, and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    made = builder.sign(key, hashes.SHA256())
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


async def test_a_certificate_has_to_be_vouched_for_and_of_the_name_that_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = {}
    for name in ("localhost", "other.example"):
        files = certificate_for(name, tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        async with served(answering("HTTP/1.1 200 OK\n\n"), context) as url:
            tls_context.cache_clear()
            problems["nobody", name] = (await post(url)).problem
            with monkeypatch.context() as patched:
                patched.setenv("SSL_CERT_FILE", str(files[0]))
                tls_context.cache_clear()
                problems["vouched", name] = (await post(url)).problem
    tls_context.cache_clear()
    assert problems == {
        ("nobody", "localhost"): "tls: CERTIFICATE_VERIFY_FAILED",
        ("vouched", "localhost"): "",
        ("nobody", "other.example"): "tls: CERTIFICATE_VERIFY_FAILED",
        ("vouched", "other.example"): "tls: CERTIFICATE_VERIFY_FAILED",
    }
