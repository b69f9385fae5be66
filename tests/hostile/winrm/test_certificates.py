"""Over TLS a host that is not the node gets no byte of a request, and so no login."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from lab.winrm import Certificate, self_signed
from tests.hostile.winrm.conftest import HOST, Connect, Serve
from tests.winrm.conftest import PASSWORD, Password
from transports.errors import CertificateRejected, TransportError

HTTPS = (("scheme", "https"),)


def aged(folder: Path, days_ago: int) -> Certificate:
    """A certificate for HOST that ended (or, with a negative number, begins) so many days ago."""
    now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days_ago)
    return self_signed(folder, (HOST,), now=now, days=1)


async def rejected(connect: Connect, server, words: str, prompts: Password | None = None, **how) -> None:  # type: ignore[no-untyped-def]
    prompts = prompts or Password(PASSWORD, trusting=True)
    with pytest.raises(CertificateRejected, match=words) as caught:
        await connect(server, prompts=prompts, **how).connect()
    assert not caught.value.transient
    assert prompts.asked == 0
    assert bytes(server.record.received) == b""


async def test_a_pinned_certificate_that_changed(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    pins = tmp_path / "home" / "known_hosts"
    first = serve(tls=True)
    prompts = Password(PASSWORD, trusting=True)
    await connect(first, options=HTTPS, prompts=prompts, known_hosts=pins).connect()
    assert len(prompts.shown) == 1
    first.stop()
    # Another machine takes the address: the same name, a certificate of its own.
    second = serve(tls=True, port=first.port)
    prompts = Password(PASSWORD, trusting=True)
    await rejected(connect, second, "not the pinned one", prompts, options=HTTPS, known_hosts=pins)
    assert prompts.shown == []  # a changed certificate is never confirmed by a keystroke


async def test_a_certificate_that_changes_between_two_connections_of_a_session(
    serve: Serve, connect: Connect
) -> None:
    first = serve(tls=True)
    pin = (("scheme", "https"), ("fingerprint", first.certificate.fingerprint))
    transport = connect(first, options=pin)
    await transport.connect()
    first.stop()
    second = serve(tls=True, port=first.port)
    with pytest.raises(TransportError, match="not the pinned one"):
        await transport.open(["cat"])
    assert bytes(second.record.received) == b""


async def test_a_fingerprint_in_the_inventory_that_differs(serve: Serve, connect: Connect) -> None:
    server = serve(tls=True)
    pin = (("scheme", "https"), ("fingerprint", "SHA256:" + "0" * 64))
    await rejected(connect, server, "not the pinned one", options=pin)


async def test_an_authority_that_did_not_sign(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    other = self_signed(tmp_path / "other", (HOST,))
    await rejected(connect, serve(tls=True), "trusted CA", options=(*HTTPS, ("ca", str(other.chain))))


@pytest.mark.parametrize("days_ago", [30, -30], ids=["expired", "not yet valid"])
async def test_a_certificate_outside_its_time(
    serve: Serve, connect: Connect, tmp_path: Path, days_ago: int
) -> None:
    server = serve(certificate=aged(tmp_path / "aged", days_ago))
    await rejected(connect, server, "not valid at this time")


async def test_a_certificate_for_another_host(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    server = serve(certificate=self_signed(tmp_path / "foreign", ("gpu9.example", "127.0.12.9")))
    await rejected(connect, server, "another name")


async def test_an_unknown_certificate_that_nobody_confirms(serve: Serve, connect: Connect) -> None:
    server = serve(tls=True)
    prompts = Password(PASSWORD, trusting=False)
    await rejected(connect, server, "trusted CA", prompts, options=HTTPS)
    assert [(key.host, key.fingerprint) for key in prompts.shown] == [(HOST, server.certificate.fingerprint)]


async def test_a_listener_without_tls(serve: Serve, connect: Connect) -> None:
    server = serve()
    with pytest.raises(CertificateRejected):
        await connect(server, options=HTTPS).connect()
    assert not server.record.credentials
