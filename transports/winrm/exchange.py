"""WS-Management requests and answers of one login: the transport of pywinrm's Protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth
from requests_ntlm import HttpNtlmAuth
from winrm.encryption import Encryption
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError

from agent.wire.message import Message, message
from transports.errors import ProtocolViolation
from transports.winrm.document import MalformedAnswer, check_document
from transports.winrm.http import node_session
from transports.winrm.sealed import is_sealed, unseal
from transports.winrm.violation import protocol_violation

if TYPE_CHECKING:
    from transports.winrm.login import Login

_SOAP = "application/soap+xml"


class NodeExchange:
    """Replaces pywinrm's Transport, for one thread.

    It logs in with the first message. Over plain HTTP every message is sealed with the login's key, and an
    answer that is not sealed is refused. ``timeout`` bounds each exchange, and each login, in seconds.
    """

    def __init__(self, login: Login, timeout: float) -> None:
        self._login = login
        self._timeout = timeout
        self._session: requests.Session | None = None
        self._sealing: Encryption | None = None

    def send_message(self, message: str | bytes) -> bytes:
        """Send an envelope and return the answer's, checked XML.

        Raises InvalidCredentialsError for a refused login, WinRMTransportError with the text of a fault,
        MalformedAnswer, ProtocolViolation, Unreachable and what requests raises.
        """
        data = message.encode("utf-8") if isinstance(message, str) else message
        session = self._session or self._open()
        if self._sealing is not None:
            request = self._sealing.prepare_encrypted_request(session, self._login.url, data)
        else:
            request = session.prepare_request(requests.Request("POST", self._login.url, data=data))
        response = session.send(request, timeout=self._timeout)
        if response.status_code == 401:
            raise InvalidCredentialsError
        if response.status_code >= 400:
            raise WinRMTransportError("http", response.status_code, self._fault(response))
        return self._document(response)

    def close_session(self) -> None:
        """Close the connection. Safe to call twice."""
        session, self._session, self._sealing = self._session, None, None
        if session is not None:
            session.close()

    def _open(self) -> requests.Session:
        session = node_session(self._login.url, self._login.options, self._login.where)
        session.auth = self._auth()
        if self._login.options.scheme != "https":
            try:
                self._agree_on_key(session)
            except BaseException:
                session.close()
                raise
        self._session = session
        return session

    def _agree_on_key(self, session: requests.Session) -> None:
        """Log in with an empty message, so that the first real one can be sealed."""
        request = session.prepare_request(requests.Request("POST", self._login.url))
        response = session.send(request, timeout=self._timeout)
        if response.status_code == 401:
            raise InvalidCredentialsError
        if response.status_code >= 400:
            raise WinRMTransportError("http", response.status_code, "")
        if getattr(session.auth, "session_security", self) is None:
            # The node accepted the message without a login. Windows never does.
            problem = message(
                "winrm.no-login", "the node requires no login, so there is no key to seal messages with"
            )
            raise self._unsealed(problem)
        self._sealing = Encryption(session, self._login.auth)

    def _auth(self) -> AuthBase:
        login = self._login
        if login.auth == "basic":
            return HTTPBasicAuth(login.user, login.password or "")
        if login.auth == "ntlm":
            return HttpNtlmAuth(login.user, login.password, send_cbt=True)
        # Needs a library that is installed with dtui[kerberos] only.
        from winrm.vendor.requests_kerberos import REQUIRED, HTTPKerberosAuth

        auth: AuthBase = HTTPKerberosAuth(  # type: ignore[no-untyped-call]
            mutual_authentication=REQUIRED,
            delegate=False,
            force_preemptive=True,
            principal=login.user,
            sanitize_mutual_error_response=False,
            service="HTTP",
            send_cbt=True,
        )
        return auth

    def _document(self, response: requests.Response) -> bytes:
        body = response.content
        if not body:
            # There is nothing that could be accepted without a seal: like a broken connection.
            raise MalformedAnswer(message("winrm.empty", "the answer is empty"))
        if self._sealing is not None:
            if not is_sealed(response.headers.get("Content-Type", "")):
                problem = message("winrm.unsealed", "the node answered without sealing the message")
                raise self._unsealed(problem)
            body = unseal(body, self._unwrap)
        return check_document(body, self._login.where)

    def _fault(self, response: requests.Response) -> str:
        """Return the XML of a fault; empty for any other text, such as the HTML pages of http.sys."""
        content_type, body = response.headers.get("Content-Type", ""), response.content
        try:
            if self._sealing is not None:
                body = unseal(body, self._unwrap) if is_sealed(content_type) else b""
            elif not content_type.lower().startswith(_SOAP):
                body = b""
            return check_document(body, self._login.where).decode("utf-8") if body else ""
        except MalformedAnswer:
            return ""

    def _unwrap(self, sealed: bytes, signature: bytes) -> bytes:
        session = self._session
        assert session is not None
        if self._login.auth == "ntlm":
            plain: bytes = session.auth.session_security.unwrap(sealed, signature)  # type: ignore[union-attr]
            return plain
        host = urlsplit(self._login.url).hostname
        unwrapped: bytes = session.auth.unwrap_winrm(host, sealed, signature)  # type: ignore[union-attr]
        return unwrapped

    def _unsealed(self, what: Message) -> ProtocolViolation:
        remedy = message(
            "winrm.unsealed.remedy",
            "do not log in to this address, because another machine may be answering in the node's place. "
            "Use scheme https with the fingerprint of the node's certificate",
        )
        return protocol_violation(what, self._login.where, remedy)
