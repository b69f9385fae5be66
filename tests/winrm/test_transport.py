"""WinRMTransport against the lab's service: channels, logins, and what it says when refused."""

from __future__ import annotations

import asyncio
import datetime
import socket
import sys
import time
from pathlib import Path

import pytest

from lab.winrm import Accounts, Injection, Quotas, WinRMServer, self_signed
from lab.winrm.faults import no_shell
from tests.winrm.conftest import HOST, PASSWORD, USER, Connect, Password, Serve
from transports.base import Endpoint
from transports.errors import (
    AuthenticationFailed,
    CertificateRejected,
    ChannelLost,
    CommandNotStarted,
    Refused,
    ServiceRefused,
    TransportError,
    Unreachable,
)
from transports.winrm.options import read_options
from transports.winrm.transport import WinRMTransport

PYTHON = sys.executable
UPPER = """
import sys
while data := sys.stdin.buffer.read1(9999):
    sys.stdout.buffer.write(data.upper())
    sys.stdout.flush()
"""
ECHO = [PYTHON, "-c", UPPER]


async def read_all(channel) -> bytes:  # type: ignore[no-untyped-def]
    parts = []
    while part := await channel.read():
        parts.append(part)
    return b"".join(parts)


class TestChannel:
    @pytest.mark.parametrize("tls", [False, True])
    async def test_carries_bytes_both_ways_and_the_exit_status(
        self, serve: Serve, connect: Connect, tls: bool
    ) -> None:
        code = """if True:
            import sys
            sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])
            sys.stderr.write("e")
            sys.exit(7)"""
        channel = await connect(serve(tls=tls)).open([PYTHON, "-c", code])
        every = bytes(range(256)) * 3000
        await channel.write(every)
        await channel.write_eof()
        assert await read_all(channel) == every[::-1]
        assert await channel.wait() == 7
        assert channel.stderr() == b"e"
        await channel.close()
        await channel.close()

    async def test_answers_at_once_while_the_channel_stays_open(self, serve: Serve, connect: Connect) -> None:
        channel = await connect(serve()).open(ECHO)
        for word in (b"one", b"two", b"three"):
            await channel.write(word)
            assert await channel.read() == word.upper()

    async def test_several_channels_at_once(self, serve: Serve, connect: Connect) -> None:
        transport = connect(serve())
        channels = await asyncio.gather(*(transport.open(ECHO) for _ in range(4)))
        for number, channel in enumerate(channels):
            await channel.write(b"n%d" % number)
        assert [await channel.read() for channel in channels] == [b"N0", b"N1", b"N2", b"N3"]

    async def test_a_slow_reader_makes_the_process_wait(
        self, serve: Serve, connect: Connect, tmp_path: Path
    ) -> None:
        size = 24 << 20
        code = f"""if True:
            import sys
            for _ in range({size >> 16}):
                sys.stdout.buffer.write(b"x" * 65536)
            open("written", "w")"""
        channel = await connect(serve()).open([PYTHON, "-c", code])
        await channel.read(1)
        # Both windows and all pipes between hold less than half of it.
        assert not (tmp_path / "written").exists()
        assert len(await read_all(channel)) == size - 1
        assert (tmp_path / "written").exists()

    async def test_closing_lets_the_process_see_the_end_of_its_input(
        self, serve: Serve, connect: Connect, tmp_path: Path
    ) -> None:
        server = serve()
        code = "import sys; data = sys.stdin.buffer.read(); open('seen', 'wb').write(data)"
        channel = await connect(server).open([PYTHON, "-c", code])
        await channel.write(b"the end")
        await channel.close()
        assert (tmp_path / "seen").read_bytes() == b"the end"
        assert server.service.shells == 0

    async def test_writing_to_a_process_that_has_ended_fails(self, serve: Serve, connect: Connect) -> None:
        channel = await connect(serve()).open([PYTHON, "-c", ""])
        await channel.wait()
        with pytest.raises(ChannelLost):
            await channel.write(b"x")

    async def test_words_of_any_kind_reach_a_python_program(self, serve: Serve, connect: Connect) -> None:
        words = ["a b", 'qu"ote', "%PATH%", "$HOME", "한글", "", "x" * 20_000]
        channel = await connect(serve()).open(
            [PYTHON, "-c", "import sys; print(ascii(sys.argv[1:]))", *words]
        )
        assert (await read_all(channel)).decode().strip() == ascii(words)

    async def test_an_interpreter_that_is_none_shows_its_words(self, serve: Serve, connect: Connect) -> None:
        channel = await connect(serve()).open(["python4.2", "-c", "pass"])
        assert await read_all(channel) == b""
        assert await channel.wait() == 127
        assert b"not found" in channel.stderr()

    async def test_a_program_that_the_relay_cannot_start(self, serve: Serve, connect: Connect) -> None:
        with pytest.raises(CommandNotStarted, match="no-such-program"):
            await connect(serve(), options=(("python", PYTHON),)).open(["no-such-program"])

    async def test_a_process_ended_from_outside_keeps_its_status(
        self, serve: Serve, connect: Connect
    ) -> None:
        channel = await connect(serve()).open([PYTHON, "-c", "import os; os.kill(os.getpid(), 9)"])
        assert await channel.wait() == -9


class TestDirectChannel:
    async def test_a_program_without_python_has_the_bare_streams(
        self, serve: Serve, connect: Connect
    ) -> None:
        server = serve()
        channel = await connect(server).open(["cat"])
        await channel.write(b"\x00\xff" * 200_000)
        await channel.write_eof()
        assert await read_all(channel) == b"\x00\xff" * 200_000
        assert await channel.wait() == 0
        await channel.close()
        assert server.service.shells == 0

    async def test_a_broken_connection_ends_it(self, serve: Serve, connect: Connect) -> None:
        server = serve()
        channel = await connect(server).open(["cat"])
        server.injector.inject(Injection("Send", "drop-after"))
        with pytest.raises(ChannelLost):
            await channel.write(b"did it arrive?")
        assert server.injector.seen("Send") == 1

    @pytest.mark.parametrize("program", ["/100%/python3", "/100%/program"])
    async def test_a_word_that_a_shell_would_interpret_is_refused(
        self, serve: Serve, connect: Connect, program: str
    ) -> None:
        with pytest.raises(CommandNotStarted, match="a character that a shell interprets") as caught:
            await connect(serve()).open([program, "-V"])
        assert "quotes" in caught.value.remedy

    async def test_a_command_line_that_cmd_would_cut_is_refused(self, serve: Serve, connect: Connect) -> None:
        with pytest.raises(CommandNotStarted, match="8191"):
            await connect(serve()).open(["echo", "x" * 9000])


class TestQuotas:
    async def test_are_read_at_login(self, serve: Serve, connect: Connect) -> None:
        transport = connect(serve(quotas=Quotas(max_envelope_kb=150, max_shells_per_user=5)))
        await transport.connect()
        assert (transport.quotas.max_envelope_kb, transport.quotas.max_shells_per_user) == (150, 5)
        assert transport.quotas.send_size == (150 * 1024 - 4096) * 3 // 4

    async def test_a_small_envelope_only_makes_more_sends(self, serve: Serve, connect: Connect) -> None:
        channel = await connect(serve(quotas=Quotas(max_envelope_kb=32))).open(ECHO)
        await channel.write(b"y" * 200_000)
        await channel.write_eof()
        assert len(await read_all(channel)) == 200_000

    async def test_used_up_shells_are_explained(self, serve: Serve, connect: Connect) -> None:
        transport = connect(serve(quotas=Quotas(max_shells_per_user=1)))
        await transport.open(ECHO)
        with pytest.raises(ServiceRefused, match="MaxShellsPerUser"):
            await transport.open(ECHO)


class TestLogin:
    async def test_a_wrong_password_is_explained_and_never_tried_twice(
        self, serve: Serve, connect: Connect
    ) -> None:
        accounts = Accounts({USER: PASSWORD})
        transport = connect(serve(accounts=accounts), password="wrong")
        with pytest.raises(AuthenticationFailed, match=r"LocalAccountTokenFilterPolicy") as caught:
            await transport.connect()
        assert not caught.value.transient
        assert "wrong" not in str(caught.value)
        with pytest.raises(AuthenticationFailed, match="not tried again"):
            await transport.connect()
        assert accounts.refusals == 1

    @pytest.mark.parametrize(("password", "words"), [("", "the password is empty"), (None, "no password")])
    async def test_no_login_without_a_password(
        self, serve: Serve, connect: Connect, password: str | None, words: str
    ) -> None:
        accounts = Accounts({USER: PASSWORD})
        with pytest.raises(AuthenticationFailed, match=words):
            await connect(serve(accounts=accounts), password=password).connect()
        assert accounts.refusals == 0

    async def test_a_scheme_that_is_not_offered_gets_no_password(self, serve: Serve) -> None:
        server = serve(offers=("Kerberos",))
        prompts = Password(PASSWORD)
        transport = WinRMTransport(Endpoint(HOST, server.port, USER), prompts)
        with pytest.raises(AuthenticationFailed, match="offers kerberos"):
            await transport.connect()
        assert prompts.asked == 0

    async def test_basic_over_plain_http_is_refused_before_anything_is_sent(self, serve: Serve) -> None:
        server = serve(basic=True)
        endpoint = Endpoint(HOST, server.port, USER, options=(("auth", "basic"),))
        with pytest.raises(TransportError, match="clear text"):
            await WinRMTransport(endpoint, Password(PASSWORD)).connect()

    async def test_an_account_without_the_right_is_told_from_a_wrong_password(
        self, serve: Serve, connect: Connect
    ) -> None:
        accounts = Accounts({USER: PASSWORD}, denied=frozenset({USER}))
        with pytest.raises(AuthenticationFailed, match="the account lacks WinRM access"):
            await connect(serve(accounts=accounts)).open(ECHO)

    async def test_every_wrong_option_is_named_at_once(self) -> None:
        endpoint = Endpoint(HOST, 1, USER, options=(("scheme", "ftp"), ("ca", "/no/file"), ("colour", "red")))
        with pytest.raises(TransportError, match=r"(?s)scheme.*ca|certificate.*colour"):
            await WinRMTransport(endpoint).connect()

    async def test_nothing_there(self, connect: Connect, serve: Serve) -> None:
        server = serve()
        server.stop()
        with pytest.raises(Refused, match="Enable-PSRemoting"):
            await connect(server).connect()

    async def test_silence_is_bounded(self) -> None:
        with socket.create_server((HOST, 0)) as deaf:
            transport = WinRMTransport(
                Endpoint(HOST, deaf.getsockname()[1], USER), Password(PASSWORD), reach=1
            )
            began = time.monotonic()
            with pytest.raises(Unreachable):
                await transport.connect()
            assert time.monotonic() - began < 60  # it could be minutes

    async def test_a_name_that_does_not_resolve(self) -> None:
        with pytest.raises(Unreachable, match="name or address"):
            await WinRMTransport(Endpoint("no-such-host.invalid", 5985, USER), Password(PASSWORD)).connect()


class TestCertificate:
    async def test_a_self_signed_one_is_refused(self, serve: Serve, connect: Connect) -> None:
        with pytest.raises(CertificateRejected, match="not signed by a trusted CA"):
            await connect(serve(tls=True), trusted=False).connect()

    async def test_a_pinned_fingerprint_needs_no_authority_and_no_name(
        self, serve: Serve, connect: Connect
    ) -> None:
        server = serve(tls=True, names=("elsewhere.example",))
        pinned = (("scheme", "https"), ("fingerprint", server.certificate.fingerprint))
        channel = await connect(server, trusted=False, options=pinned).open(ECHO)
        await channel.write(b"hi")
        assert await channel.read() == b"HI"

    async def test_an_unknown_one_is_shown_once_and_then_known(self, serve: Serve, tmp_path: Path) -> None:
        server = serve(tls=True)
        endpoint = Endpoint(HOST, server.port, USER, options=(("scheme", "https"),))
        known_hosts = tmp_path / "known" / "known_hosts"
        prompts = Password(PASSWORD, trusting=True)
        for _ in range(2):
            transport = WinRMTransport(endpoint, prompts, known_hosts)
            await transport.connect()
            await transport.close()
        assert [key.fingerprint for key in prompts.shown] == [server.certificate.fingerprint]

    async def test_a_trusted_one_that_changed_stops(self, serve: Serve, tmp_path: Path) -> None:
        server = serve(tls=True)
        endpoint = Endpoint(HOST, server.port, USER, options=(("scheme", "https"),))
        (tmp_path / "known_certificates").write_text(f"[{HOST}]:{server.port} SHA256:{'A' * 64}\n")
        prompts = Password(PASSWORD, trusting=True)
        with pytest.raises(CertificateRejected, match="not the pinned one"):
            await WinRMTransport(endpoint, prompts, tmp_path / "known_hosts").connect()
        assert (prompts.shown, prompts.asked) == ([], 0)

    async def test_another_than_the_pinned_one_is_refused(self, serve: Serve, connect: Connect) -> None:
        options = (("scheme", "https"), ("fingerprint", "SHA256:" + "0" * 64))
        with pytest.raises(CertificateRejected, match="not the pinned one"):
            await connect(serve(tls=True), trusted=False, options=options).connect()

    async def test_one_for_another_name(self, serve: Serve, connect: Connect) -> None:
        with pytest.raises(CertificateRejected, match="another name"):
            await connect(serve(tls=True, names=("elsewhere.example",))).connect()

    async def test_an_expired_one(self, serve: Serve, connect: Connect, tmp_path: Path) -> None:
        now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=10)
        with pytest.raises(CertificateRejected, match="not valid at this time"):
            await connect(
                serve(certificate=self_signed(tmp_path / "old", (HOST,), now=now, days=1))
            ).connect()

    async def test_https_where_plain_http_listens(self, serve: Serve, connect: Connect) -> None:
        with pytest.raises(CertificateRejected, match="HTTPS listener"):
            await connect(serve(), options=(("scheme", "https"),)).connect()


async def test_a_deleted_shell_ends_the_channel_with_the_reason(serve: Serve, connect: Connect) -> None:
    server: WinRMServer = serve()
    channel = await connect(server).open(ECHO)
    server.injector.inject(Injection("Receive", "fault", fault=no_shell))
    server.service.end_shells()
    with pytest.raises(ChannelLost, match=r"restarted|deleted"):
        await channel.read()


def test_a_certificate_file_in_an_unknown_user_s_home_does_not_exist() -> None:
    endpoint = Endpoint(HOST, 5986, USER, options=(("ca", "~no-such-user-here/ca.pem"),))
    with pytest.raises(TransportError, match=r"the certificate file ~no-such-user-here/ca\.pem does"):
        read_options(endpoint)
