"""Where the store is and how it is spoken to: a Redis URL is read here alone, so that all clients take it alike."""

import os
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from jobs.exposure import is_loopback

_Read = Callable[[str], Any]


class StoreAddress(BaseModel):
    """A Redis URL, read: a server, by TCP or TLS, or the path of a Unix socket."""

    model_config = ConfigDict(frozen=True)

    tls: bool
    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    """Of a Unix socket; then host and port mean nothing."""
    database: int = 0
    username: str = ""
    password: SecretStr = SecretStr("")
    connection: Mapping[str, Any]
    """Time limits in seconds and the like, by the names that redis-py and kombu share."""
    verification: Mapping[str, Any]
    """With TLS: whom to believe and what to show, by redis-py's names. `ssl_cert_reqs` and `ssl_check_hostname` are
    always there, since kombu takes silence for leave not to verify."""

    @classmethod
    def of(cls, url: str, *, ca: Path | None = None) -> Self:
        """The address that a URL names: `redis://`, `rediss://` (TLS) or `unix://`, with options behind a `?`.

        `ca`, a file or a folder, holds authorities to trust beside the system's.

        Raises:
            ValueError: it names none. The message tells what is wrong, and nothing of a password.
        """
        parts = _split(url)
        options = _options(parts)
        tls, is_unix = parts.scheme == "rediss", parts.scheme == "unix"
        verification = {name: options.pop(name) for name in list(options) if name in _OF_TLS}
        # The URL's own places come before options of that name, but for the database: as redis-py has it.
        where: dict[str, Any] = {"path": unquote(parts.path)} if is_unix else _server(parts)
        where |= {"database": options.pop("db")} if "db" in options else {}
        for name, value in (("username", parts.username), ("password", parts.password)):
            option = options.pop(name, "")
            where[name] = unquote(value) if value else option
        address = cls(
            tls=tls,
            **where,
            connection={**(_DEFAULTS if is_unix else _TCP_DEFAULTS), **options},
            verification={**_VERIFIED, **verification} if tls else {},
        )
        return address._trusting(ca) if ca else address

    @property
    def place(self) -> str:
        """Where it is, for a message."""
        return self.path or (f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}")

    @property
    def unverified(self) -> str | None:
        """What is not verified of the server, in a sentence; None where everything is that can be."""
        if not self.tls or (self.verification["ssl_cert_reqs"] != "none" and self.verification["ssl_check_hostname"]):
            return None
        off, who = ("ssl_cert_reqs=none", "whoever answers")
        if self.verification["ssl_cert_reqs"] != "none":
            off, who = "ssl_check_hostname=false", "whoever answers with any certificate of a trusted authority's"
        return f"{off}: {who} at {self.place} is taken for the store, and sent its password and all data"

    def client_options(self) -> dict[str, Any]:
        """What redis-py makes a connection with."""
        where = {"host": self.host, "port": self.port} if self.path is None else {"path": self.path}
        login = {"username": self.username or None, "password": self.password.get_secret_value() or None}
        return {**where, **login, "db": self.database, **self.connection, **self.verification}

    def check_files(self) -> None:
        """Raise ValueError where a file that is named for TLS, or a choice of ciphers, cannot be used."""
        given, context = self.verification, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if file := given.get("ssl_ca_certs"):
            _used(f"ssl_ca_certs {file!r}", lambda: context.load_verify_locations(file))
        if folder := given.get("ssl_ca_path"):
            # OpenSSL does not mind a folder that is not there.
            _used(f"ssl_ca_path {folder!r}", lambda: os.listdir(str(folder)))
        if data := given.get("ssl_ca_data"):
            _used("ssl_ca_data", lambda: context.load_verify_locations(cadata=data))
        if "ssl_keyfile" in given and "ssl_certfile" not in given:
            raise ValueError("ssl_keyfile needs the certificate beside it: ssl_certfile")
        if certificate := given.get("ssl_certfile"):
            # Without a password OpenSSL would ask for one on the terminal.
            key, password = given.get("ssl_keyfile"), given.get("ssl_password", "")
            _used(f"ssl_certfile {certificate!r}", lambda: context.load_cert_chain(certificate, key, lambda: password))
        if ciphers := given.get("ssl_ciphers"):
            _used(f"ssl_ciphers {ciphers!r}", lambda: context.set_ciphers(ciphers))

    def _trusting(self, ca: Path) -> Self:
        """The same with authorities of one's own."""
        if not self.tls:
            if self.path is not None or is_loopback(self.host):  # nothing leaves this machine
                return self
            raise ValueError(
                f"does not use TLS, although GRADIENTD_REDIS_CA is set: write rediss:// to have {self.place} show its "
                "certificate, or take GRADIENTD_REDIS_CA away"
            )
        for name in ("ssl_ca_certs", "ssl_ca_path"):
            if name in self.verification:
                raise ValueError(f"has {name} although GRADIENTD_REDIS_CA is set: leave one of the two away")
        option = "ssl_ca_path" if ca.is_dir() else "ssl_ca_certs"
        return self.model_copy(update={"verification": {**self.verification, option: str(ca)}})


def check_authorities(ca: Path) -> None:
    """Raise ValueError where a file or folder of authorities cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _used(f"{str(ca)!r}", lambda: os.listdir(ca) if ca.is_dir() else context.load_verify_locations(ca))


def _split(url: str) -> SplitResult:
    """The parts of a URL of a kind that we know."""
    try:
        parts = urlsplit(url)
    except ValueError:  # its words may show the password
        raise ValueError(f"is no URL; {_ESCAPES}, and other characters than ASCII likewise") from None
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("must begin with redis://, rediss:// (TLS) or unix://")
    try:
        is_port = parts.port != 0
    except ValueError:
        is_port = False
    if not is_port:
        raise ValueError(f"its port is no number from 1 to 65535; {_ESCAPES}")
    if parts.fragment:
        raise ValueError(f"has a # in it; {_ESCAPES}")
    if parts.scheme == "unix" and not parts.path:
        raise ValueError("must name the socket's path: unix:///run/redis.sock")
    return parts


def _server(parts: SplitResult) -> dict[str, Any]:
    """Host, port and database, as far as they stand there."""
    database = unquote(parts.path).strip("/")
    if database and not (database.isascii() and database.isdecimal()):
        raise ValueError(f"the database behind the address is no number: {database!r}")
    found = {"host": unquote(parts.hostname or ""), "port": parts.port}
    return {
        **{name: value for name, value in found.items() if value},
        **({"database": int(database)} if database else {}),
    }


def _options(parts: SplitResult) -> dict[str, Any]:
    """What stands behind the `?`, each of its type; of two alike the first."""
    found: dict[str, Any] = {}
    known = {**_OF_ALL, **_OF_TLS, **_OF_TCP}
    for name, value in parse_qsl(parts.query):
        if name not in known:
            raise ValueError(f"the option {name!r} is none that all our clients know: {', '.join(sorted(known))}")
        if name in _OF_TLS and parts.scheme != "rediss":
            raise ValueError(f"the option {name} is for TLS: write rediss:// rather than {parts.scheme}://")
        if name in _OF_TCP and parts.scheme == "unix":
            raise ValueError(f"the option {name} is not for a Unix socket")
        try:
            found.setdefault(name, known[name](value))
        except ValueError as error:
            shown = "" if "password" in name else f", not {value!r}"
            raise ValueError(f"the option {name} must be {error}{shown}") from None
    return found


def _used(what: str, use: Callable[[], object]) -> None:
    try:
        use()
    except OSError as error:
        raise ValueError(f"{what} cannot be used: {error.strerror or error}") from None


def _word(text: str) -> str:
    if not text.isprintable() or " " in text:
        raise ValueError("a word without spaces")
    return text


def _number(least: int) -> _Read:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and int(text) >= least):
            raise ValueError(f"a whole number from {least} on")
        return int(text)

    return read


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError("a number of seconds above 0")
    return value


def _truth(text: str) -> bool:
    truths = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in truths:
        raise ValueError("true or false")
    return truths[text.lower()]


def _requirement(text: str) -> str:
    # The second spelling is the one that Celery's documentation has.
    found = text.lower().removeprefix("cert_")
    if found not in {"required", "optional", "none"}:
        raise ValueError("required, or none to believe anybody")
    return found


def _version(text: str) -> int:
    if text not in {"771", "772"}:
        raise ValueError("771 for TLS 1.2 or 772 for TLS 1.3")
    return int(text)


def _flags(text: str) -> list[ssl.VerifyFlags]:
    names = [name.strip() for name in text.split(",")]
    if unknown := set(names) - set(ssl.VerifyFlags.__members__):
        raise ValueError(f"names of Python's ssl.VerifyFlags, which {min(unknown)} is not")
    return [ssl.VerifyFlags[name] for name in names]


_OF_ALL: Mapping[str, _Read] = {
    "db": _number(0),
    "username": str,
    "password": str,
    "client_name": _word,
    "socket_timeout": _seconds,
    "socket_connect_timeout": _seconds,
    # kombu would look without a pause at 0.
    "health_check_interval": _number(1),
}
_OF_TCP: Mapping[str, _Read] = {"socket_keepalive": _truth}
_OF_TLS: Mapping[str, _Read] = {
    "ssl_cert_reqs": _requirement,
    "ssl_check_hostname": _truth,
    "ssl_ca_certs": str,
    "ssl_ca_path": str,
    "ssl_ca_data": str,
    "ssl_certfile": str,
    "ssl_keyfile": str,
    "ssl_password": str,
    "ssl_ciphers": str,
    "ssl_min_version": _version,
    "ssl_include_verify_flags": _flags,
    "ssl_exclude_verify_flags": _flags,
}
_DEFAULTS = {"socket_timeout": 5, "socket_connect_timeout": 2, "health_check_interval": 10}
# Not for a Unix socket: its other end is on this machine, and redis-py refuses to.
_TCP_DEFAULTS = {**_DEFAULTS, "socket_keepalive": True}
_VERIFIED = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
_ESCAPES = "in a password, / ? # and @ are written %2F %3F %23 and %40"
