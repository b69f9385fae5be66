"""HTTP to one address, with bounded answers and without redirects, proxies, cookies or compression."""

from __future__ import annotations

import base64
import binascii
import functools
import re
import ssl
import struct
import time
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

from agent.wire.message import Message, message
from transports.errors import AuthenticationFailed, ProtocolViolation
from transports.quoting import quoted
from transports.winrm import limits
from transports.winrm.meter import Meter, MeteredConnection, MeteredTlsConnection
from transports.winrm.options import Options
from transports.winrm.violation import protocol_violation

#: Refusals (401) in a row: NTLM needs two before the answer, Kerberos at most three.
_LOGIN_STEPS = 5
#: NTLM flags that sealing requires: SIGN, SEAL, extended session security, 128 bits.
_SEALING_FLAGS = 0x10 | 0x20 | 0x80000 | 0x20000000
_CHALLENGE = re.compile(r"\b(?:NTLM|Negotiate)\s+([A-Za-z0-9+/=]+)", re.IGNORECASE)


class NodeAdapter(HTTPAdapter):
    """Sends every request of a session, including those of the login.

    Requests go to ``url`` and nowhere else. Each exchange, and the exchanges of a login together, must end
    within the timeout of the request. Raises ProtocolViolation and Unreachable.
    """

    def __init__(self, url: str, options: Options, where: str) -> None:
        self._url = requests.Request("POST", url).prepare().url
        self._tls = options.scheme == "https"
        self._where = where
        self._meter = Meter(where)
        self._login_by: float | None = None
        self._refusals = 0
        self._pool_options: dict[str, Any] = {}
        if self._tls:
            context = ssl.create_default_context(cafile=str(options.ca) if options.ca else None)
            if options.fingerprint:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._pool_options = {
                "ssl_context": context,
                "assert_fingerprint": options.fingerprint or None,
            }
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        """Use metered connections."""
        super().init_poolmanager(connections, maxsize, block, **kwargs, **self._pool_options)
        plain = functools.partial(MeteredConnection, meter=self._meter)
        tls = functools.partial(MeteredTlsConnection, meter=self._meter)
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("_Pool", (HTTPConnectionPool,), {"ConnectionCls": staticmethod(plain)}),
            "https": type("_TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": staticmethod(tls)}),
        }

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send a request and return the answer, whose body is read later, within the same limits."""
        if request.url != self._url:
            raise self._refuse(
                message("winrm.other-url", "a request to {url} was stopped", url=quoted(str(request.url))),
                message("winrm.other-url.remedy", "report this error"),
            )
        began = time.monotonic()
        seconds = limit = float(timeout)
        if self._login_by is not None:
            seconds = min(seconds, self._login_by - began)
        self._meter.start(seconds, limit)
        left = self._meter.remaining()
        response = super().send(request, stream=True, timeout=(left, left), verify=verify, cert=cert)
        try:
            self._check(response)
        except BaseException:
            response.close()
            raise
        if response.status_code != 401:
            self._login_by, self._refusals = None, 0
        elif self._login_by is None:
            self._login_by = began + seconds
        return response

    def _check(self, response: requests.Response) -> None:
        """Raise ProtocolViolation for an answer that a WinRM service does not send."""
        status, headers = response.status_code, response.headers
        if 300 <= status < 400:
            raise self._refuse(
                message(
                    "winrm.redirect",
                    "the node redirects to {target!r} (HTTP status {status}), and dtui follows no redirect",
                    status=status,
                    target=quoted(headers.get("Location", "")),
                ),
                message(
                    "winrm.redirect.remedy",
                    "set the address and port of the node's own WinRM service in the inventory",
                ),
            )
        if status == 407:
            raise self._refuse(message("winrm.proxy", "the answer came from a proxy that requires a login"))
        if status < 200 or 200 < status < 300:
            raise self._refuse(
                message(
                    "winrm.other-service", "the service is not WinRM (HTTP status {status})", status=status
                )
            )
        if headers.get("Content-Encoding", "identity").lower() != "identity":
            raise self._refuse(
                message("winrm.compressed", "the node compressed its answer, which dtui did not request")
            )
        self._check_length(response)
        # requests_ntlm would send a cookie back, whatever the session's policy is.
        headers.pop("Set-Cookie", None)
        if status == 401:
            self._refusals += 1
            if self._refusals > _LOGIN_STEPS:
                raise self._refuse(
                    message(
                        "winrm.login-repeated",
                        "the node requested a login {count} times in a row",
                        count=self._refusals,
                    )
                )
            if not self._tls:
                self._check_challenge(headers.get("WWW-Authenticate", ""))

    def _check_length(self, response: requests.Response) -> None:
        coding = response.headers.get("Transfer-Encoding", "chunked").lower()
        if coding != "chunked":
            raise self._refuse(
                message(
                    "winrm.transfer-coding",
                    "the node sent the unsupported transfer coding {coding}",
                    coding=quoted(coding),
                )
            )
        length = response.headers.get("Content-Length", "0")
        if not re.fullmatch(r"[0-9]{1,19}", length):
            raise self._refuse(
                message(
                    "winrm.content-length",
                    "the node sent the invalid Content-Length {length}",
                    length=quoted(length),
                )
            )
        most = limits.LOGIN_BODY if response.status_code == 401 else limits.BODY
        if int(length) > most:
            raise self._refuse(
                message(
                    "winrm.body-announced",
                    "the node announced a body of {size} bytes, and at most {most} are accepted",
                    size=int(length),
                    most=most,
                )
            )

    def _check_challenge(self, offered: str) -> None:
        """Raise AuthenticationFailed, before NTLM answers, for a challenge that leaves messages unsealed."""
        for found in _CHALLENGE.finditer(offered):
            try:
                token = base64.b64decode(found.group(1), validate=True)
            except binascii.Error:
                continue
            if not token.startswith(b"NTLMSSP\0\2\0\0\0") or len(token) < 24:
                continue
            (flags,) = struct.unpack_from("<I", token, 20)
            if flags & _SEALING_FLAGS != _SEALING_FLAGS:
                raise AuthenticationFailed(
                    message("winrm.weak-seal", "the node's NTLM does not seal messages with 128 bits"),
                    where=self._where,
                    remedy=message(
                        "winrm.weak-seal.remedy",
                        "use scheme https for the node; a service that seals weakly may be an attacker's",
                    ),
                )

    def _refuse(self, what: Message, *remedy: Message) -> ProtocolViolation:
        return protocol_violation(what, self._where, *remedy)


def node_session(url: str, options: Options, where: str) -> requests.Session:
    """Return a session for one node and one thread, without a login."""
    session = requests.Session()
    # Environment variables would bring a proxy, which could read a login, and a netrc file's password.
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update(
        {"Content-Type": "application/soap+xml;charset=UTF-8", "Accept-Encoding": "identity"}
    )
    session.adapters.clear()
    session.mount(f"{options.scheme}://", NodeAdapter(url, options, where))
    if options.fingerprint:
        session.verify = False
    elif options.ca:
        session.verify = str(options.ca)
    return session
