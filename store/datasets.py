"""What can be done with versions of uploaded datasets. Each operation is atomic in Redis and does no I/O by itself."""

from dataclasses import dataclass
from typing import NamedTuple, Self

from jobs.dataset_versions import DatasetInUse, DatasetNotFound, DatasetRef, DatasetVersion, StorageFull
from jobs.settings import Settings
from store.calls import Call, Operation, script
from store.keys import Keys

KEYS_PER_SCAN = 500
RESERVATION_SECONDS = 3600
"""How long bytes stay set aside for an upload of which nothing more is heard."""


class Published(NamedTuple):
    """An upload is a version."""

    version: DatasetVersion
    created: bool
    """Whether it is a new one, or the newest was the same upload."""


class DatasetPage(NamedTuple):
    """Part of a list."""

    versions: tuple[DatasetVersion, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class DatasetStore:
    """The datasets of all owners. Nobody sees another's."""

    keys: Keys

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of these settings."""
        return cls(Keys(settings.namespace))

    def reserve(self, owner: str, token: str, *, wanted_bytes: int, most_bytes: int) -> Operation[None]:
        """Set bytes aside for an upload, or change how many. Raises StorageFull."""
        had, taken = yield script(
            self.keys,
            "dataset_reserve",
            owner=owner,
            token=token,
            bytes=wanted_bytes,
            most_bytes=most_bytes,
            lifetime_ms=RESERVATION_SECONDS * 1000,
        )
        if not had:
            raise StorageFull(used_bytes=taken, wanted_bytes=wanted_bytes, most_bytes=most_bytes)

    def release(self, owner: str, token: str) -> Operation[None]:
        """Give back what was set aside for an upload that came to nothing."""
        yield script(self.keys, "dataset_release", owner=owner, token=token)

    def publish(self, owner: str, token: str, version: DatasetVersion, *, most_bytes: int) -> Operation[Published]:
        """Make an upload, whose files are there whole, the next version of its dataset.

        Raises StorageFull where it takes more than was set aside, and too much.
        """
        outcome, number, *record = yield script(
            self.keys,
            "dataset_publish",
            owner=owner,
            name=version.name,
            token=token,
            upload=f"{version.sha256} {version.options_sha256}",
            record=version.model_dump_json(),
            bytes=version.stored_bytes,
            most_bytes=most_bytes,
        )
        if outcome == "full":
            raise StorageFull(used_bytes=number, wanted_bytes=version.stored_bytes, most_bytes=most_bytes)
        if outcome == "unchanged":
            return Published(_read(number, record[0]), created=False)
        return Published(version.numbered(number), created=True)

    def note_upload(self, owner: str, upload_id: str, note: str, *, lifetime_seconds: float) -> Operation[None]:
        """Say what becomes of an upload; without anything said again it is forgotten after so long."""
        yield Call(("SET", self.keys.upload(owner, upload_id), note, "PX", round(lifetime_seconds * 1000)))

    def upload(self, owner: str, upload_id: str) -> Operation[str | None]:
        """What was last said of an upload; None where nothing is known of it."""
        return (yield Call(("GET", self.keys.upload(owner, upload_id))))

    def get(self, owner: str, ref: DatasetRef) -> Operation[DatasetVersion]:
        """A version, or the newest one. Raises DatasetNotFound."""
        found = yield script(self.keys, "dataset_get", owner=owner, name=ref.name, version=ref.version or "")
        if found is None:
            raise DatasetNotFound(f"there is no {ref}")
        return _read(*found)

    def list(self, owner: str, *, after: str = "", limit: int) -> Operation[DatasetPage]:
        """The newest version of each of an owner's datasets, by name, after a name."""
        found, more = yield script(self.keys, "dataset_list", owner=owner, after=after, limit=limit)
        return DatasetPage(tuple(_read(*pair) for pair in zip(found[::2], found[1::2], strict=True)), bool(more))

    def versions(self, owner: str, name: str) -> Operation[tuple[DatasetVersion, ...]]:
        """All versions of a dataset, oldest first. Raises DatasetNotFound."""
        found = yield script(self.keys, "dataset_versions", owner=owner, name=name)
        if not found:
            raise DatasetNotFound(f"there is no {name}")
        pairs = zip(found[::2], found[1::2], strict=True)
        return tuple(sorted((_read(*pair) for pair in pairs), key=lambda version: version.version))

    def folders(self) -> Operation[frozenset[str]]:
        """The folders of all versions, of all owners."""
        found: set[str] = set()
        cursor = 0
        while True:
            pattern = self.keys.dataset("*", "*")
            cursor, keys = yield Call(("SCAN", cursor, "MATCH", pattern, "COUNT", KEYS_PER_SCAN, "TYPE", "hash"))
            for key in keys:
                fields: dict[str, str] = yield Call(("HGETALL", key))
                found |= {_read(0, record).folder for name, record in fields.items() if name.startswith("version:")}
            if not cursor:
                return frozenset(found)

    def delete(self, owner: str, ref: DatasetRef) -> Operation[tuple[DatasetVersion, ...]]:
        """Delete a version, or a whole dataset; what was deleted, whose files are to be deleted in turn.

        Raises DatasetNotFound, and DatasetInUse where a job that is not final needs it.
        """
        outcome, *told = yield script(
            self.keys, "dataset_delete", owner=owner, name=ref.name, version=ref.version or ""
        )
        if outcome == "missing":
            raise DatasetNotFound(f"there is no {ref}")
        if outcome == "used":
            raise DatasetInUse(str(ref), told[0])
        numbers, records = told
        return tuple(_read(*pair) for pair in zip(numbers, records, strict=True))


def _read(number: str | int, record: str) -> DatasetVersion:
    return DatasetVersion.model_validate_json(record).numbered(int(number))
