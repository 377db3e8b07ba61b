"""What can be done with uploaded weights. Each operation is atomic in Redis and does no I/O by itself."""

from dataclasses import dataclass
from typing import NamedTuple, Self

from jobs.dataset_versions import StorageFull
from jobs.settings import Settings
from jobs.uploaded_weights import UploadedWeights, WeightsNotFound
from store.calls import Call, Operation, script
from store.keys import Keys

KEYS_PER_SCAN = 500


class PublishedWeights(NamedTuple):
    """An upload has a name."""

    weights: UploadedWeights
    created: bool
    """Whether it is new, or what has the name is the same upload."""
    replaced: UploadedWeights | None = None
    """What had the name before: its files are to be deleted."""


class WeightsPage(NamedTuple):
    """Part of a list."""

    weights: tuple[UploadedWeights, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class WeightsStore:
    """The uploaded weights of all owners. Nobody sees another's. They count among the bytes of an owner's datasets."""

    keys: Keys

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of these settings."""
        return cls(Keys(settings.namespace))

    def publish(
        self, owner: str, token: str, weights: UploadedWeights, *, most_bytes: int
    ) -> Operation[PublishedWeights]:
        """Give an upload, whose file is there whole, its name, in place of what had it and of the bytes that were set
        aside by this token.

        Raises StorageFull where it takes more than that, and too much.
        """
        outcome, told = yield script(
            self.keys,
            "weights_publish",
            owner=owner,
            name=weights.name,
            token=token,
            sha256=weights.sha256,
            record=weights.model_dump_json(),
            bytes=weights.stored_bytes,
            most_bytes=most_bytes,
        )
        if outcome == "full":
            raise StorageFull(used_bytes=int(told), wanted_bytes=weights.stored_bytes, most_bytes=most_bytes)
        if outcome == "unchanged":
            return PublishedWeights(_read(told), created=False)
        return PublishedWeights(weights, created=True, replaced=_read(told) if told else None)

    def get(self, owner: str, name: str) -> Operation[UploadedWeights]:
        """The weights of a name. Raises WeightsNotFound."""
        found = yield Call(("HGET", self.keys.weights(owner), name))
        if found is None:
            raise WeightsNotFound(f"there are no weights {name!r}")
        return _read(found)

    def list(self, owner: str, *, after: str = "", limit: int) -> Operation[WeightsPage]:
        """An owner's weights, by name, after a name."""
        found, more = yield script(self.keys, "weights_list", owner=owner, after=after, limit=limit)
        return WeightsPage(tuple(map(_read, found)), bool(more))

    def delete(self, owner: str, name: str) -> Operation[UploadedWeights]:
        """Delete weights; what was deleted, whose file is to be deleted in turn. Raises WeightsNotFound."""
        found = yield script(self.keys, "weights_delete", owner=owner, name=name)
        if found is None:
            raise WeightsNotFound(f"there are no weights {name!r}")
        return _read(found)

    def folders(self) -> Operation[frozenset[str]]:
        """The folders of all weights, of all owners."""
        found: set[str] = set()
        cursor = 0
        while True:
            pattern = self.keys.weights("*")
            cursor, keys = yield Call(("SCAN", cursor, "MATCH", pattern, "COUNT", KEYS_PER_SCAN, "TYPE", "hash"))
            for key in keys:
                records: list[str] = yield Call(("HVALS", key))
                found |= {_read(record).folder for record in records}
            if not cursor:
                return frozenset(found)


def _read(record: str) -> UploadedWeights:
    return UploadedWeights.model_validate_json(record)
