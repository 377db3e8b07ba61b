"""What can be done with API keys: store, list and revoke them, and admit a request by one.

Hand an operation to `store.calls.run` or `store.calls.arun`.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from jobs.api_keys import SECRET, ApiKey, Scope, digest_of, id_of, read_entries
from jobs.errors import TooManyRequests
from jobs.settings import Settings
from store.calls import Call, Operation, script
from store.decoding import instant, stored
from store.keys import Keys


class StoredKey(NamedTuple):
    """A stored key, and when it was last used, to a minute."""

    key: ApiKey
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The operations on keys, for one namespace. Carried out as a store's are."""

    keys: Keys
    given: tuple[ApiKey, ...] = ()
    """Keys of the settings."""
    requests_per_minute: int | None = None
    """For keys without a rate of their own, admins' excepted."""

    @classmethod
    def of(cls, settings: Settings) -> "KeyRing":
        """Those of these settings and of their store. Raises Misconfigured."""
        given = read_entries(settings.api_keys.get_secret_value())
        return cls(Keys(settings.namespace), given, settings.key_requests_per_minute)

    def create(self, key: ApiKey) -> Operation[None]:
        """Store a key. It is valid at once."""
        yield script(self.keys, "key_create", id=key.id, record=key.model_dump_json())

    def list(self) -> Operation[tuple[StoredKey, ...]]:
        """The stored keys, oldest first."""
        reply: Sequence[str] = yield script(self.keys, "key_list")
        found = [
            StoredKey(stored(ApiKey, text), instant(used_at) if used_at else None)
            for text, used_at in zip(reply[::2], reply[1::2], strict=True)
        ]
        return tuple(sorted(found, key=lambda stored: (str(stored.key.created_at), stored.key.id)))

    def revoke(self, key_id: str) -> Operation[bool]:
        """Forget a stored key, so that it is refused from the next request on. Tells whether there was one."""
        reply = yield script(self.keys, "key_revoke", id=key_id)
        return bool(reply)

    def admit(self, secret: str) -> Operation[ApiKey | None]:
        """The key that has this secret, its request counted; None if there is none. Raises TooManyRequests.

        A key of the settings that has no rate to be held to needs no store.
        """
        if not SECRET.fullmatch(secret):
            return None
        digest = digest_of(secret)
        given = self._given(digest)
        if given and (Scope.ADMIN in given.scopes or not self.requests_per_minute):
            return given
        reply: Any = yield script(
            self.keys,
            "admit",
            id=id_of(digest),
            digest=digest,
            per_minute=self.requests_per_minute or 0,
            given=int(given is not None),
        )
        if reply is None:
            return None
        key = given or _read(reply[0])
        if not hmac.compare_digest(key.digest, digest):
            return None
        if wait_us := int(reply[1]):
            per_minute = key.limits.requests_per_minute or self.requests_per_minute or 0
            raise TooManyRequests(per_minute=per_minute, retry_after_seconds=-(-wait_us // 1_000_000))
        return key

    def holds(self, key: ApiKey) -> Operation[bool]:
        """Whether a key that was admitted is still valid. Counts no request."""
        if key in self.given:
            return True
        stored = yield Call(("EXISTS", self.keys.api_key(key.id)))
        return bool(stored)

    def _given(self, digest: str) -> ApiKey | None:
        found = None
        for key in self.given:  # to the end, so that the time tells nothing of which it was
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found


@lru_cache(maxsize=1000)
def _read(record: str) -> ApiKey:
    """The key of a record: few keys send many requests."""
    return stored(ApiKey, record)
