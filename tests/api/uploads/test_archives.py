"""The files of an archive are read one by one, never unpacked, and what is damaged is told."""

import gzip
import random
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from api.uploads import archives
from api.uploads.archives import UnreadableFile, is_archive, opened
from api.uploads.checked import Limits
from jobs.faults import InvalidUpload
from tests.api.uploads.archives import check, faulty_files, picture, pictures, refusal, tar_of, zip_of

FILES = [("a/1", b"one"), ("b/größe", b""), ("c", b"three" * 1000)]
MOST = 1 << 20
COMPRESSIONS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


def read(path: Path, content: bytes, *, most_bytes: int = MOST) -> list[tuple[str, bytes | str]]:
    """Names, and what is in them or why it cannot be read."""
    path.write_bytes(content)
    found: list[tuple[str, bytes | str]] = []
    with opened(path, most_bytes=most_bytes) as files:
        for file in files:
            try:
                found.append((file.name, file.read(most_bytes=most_bytes)))
            except UnreadableFile as error:
                found.append((file.name, str(error)))
    return found


def encrypted(content: bytes) -> bytes:
    """A zip of one file whose flag says that it is encrypted."""
    changed = bytearray(content)
    changed[6] |= 1
    changed[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


def member(name: str, kind: bytes) -> tarfile.TarInfo:
    other = tarfile.TarInfo(name)
    other.type, other.linkname = kind, "a/0.png"
    return other


@pytest.mark.parametrize(
    "content",
    [*(zip_of(FILES, compression=compression) for compression in COMPRESSIONS), tar_of(FILES), tar_of(FILES, gz=True)],
    ids=len,
)
def test_files_are_read_in_their_order(tmp_path: Path, content: bytes) -> None:
    assert read(tmp_path / "upload", content) == FILES
    assert is_archive(tmp_path / "upload")


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_tar_is_read(tmp_path: Path, form: int) -> None:
    path = tmp_path / "source"
    path.write_bytes(b"1")
    with tarfile.open(tmp_path / "made", "w", format=form) as archive:
        archive.add(tmp_path, "folder", recursive=False)
        archive.add(path, f"{'d' * 60}/{'f' * 90}ü")
    assert read(tmp_path / "upload", (tmp_path / "made").read_bytes()) == [(f"{'d' * 60}/{'f' * 90}ü", b"1")]


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"", b"PK", b"\x1f\x8b no gzip", b"PAR1"], ids=len)
def test_other_files_are_no_archives(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "upload").write_bytes(content)
    assert not is_archive(tmp_path / "upload")


def test_names_in_utf_8_without_its_flag_are_read(tmp_path: Path) -> None:
    content = zip_of([("b/größe", b"1")])
    unflagged = bytearray(content)
    unflagged[7] &= ~8
    unflagged[content.index(b"PK\x01\x02") + 9] &= ~8
    assert read(tmp_path / "upload", bytes(unflagged)) == [("b/größe", b"1")]


def test_folders_are_no_files(tmp_path: Path) -> None:
    assert read(tmp_path / "upload", zip_of([("a/", b""), ("a/1", b"1")])) == [("a/1", b"1")]
    assert read(tmp_path / "upload", tar_of([], others=[member("a", tarfile.DIRTYPE)])) == []


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.FIFOTYPE, "a device or a pipe"),
        (tarfile.CHRTYPE, "a device or a pipe"),
        (tarfile.BLKTYPE, "a device or a pipe"),
    ],
)
def test_what_is_no_file_of_a_tar_is_told(tmp_path: Path, kind: bytes, found: str) -> None:
    content = tar_of(pictures("a", "b"), others=[member("a/odd.png", kind)])
    assert faulty_files(refusal(content, tmp_path)) == [("a/odd.png", found)]
    (tmp_path / "skip").mkdir()
    dataset, _ = check(content, tmp_path / "skip", on_bad="skip")
    assert (dataset.train_examples + dataset.test_examples, dataset.report.skipped) == (10, 1)


@pytest.mark.parametrize(
    ("kind", "found"), [(stat.S_IFLNK, "a link"), (stat.S_IFCHR, "a device or a pipe"), (stat.S_IFIFO, "a device or")]
)
def test_what_is_no_file_of_a_zip_is_told(tmp_path: Path, kind: int, found: str) -> None:
    with zipfile.ZipFile(tmp_path / "made", "w") as archive:
        odd = zipfile.ZipInfo("a/odd.png")
        odd.create_system, odd.external_attr = 3, (kind | 0o644) << 16
        archive.writestr(odd, "/etc/passwd")
    ((name, told),) = read(tmp_path / "upload", (tmp_path / "made").read_bytes())
    assert name == "a/odd.png"
    assert isinstance(told, str)
    assert told.startswith(found)


def test_an_encrypted_file_is_told(tmp_path: Path) -> None:
    assert read(tmp_path / "upload", encrypted(zip_of([("a/1", b"1")]))) == [("a/1", "an encrypted file")]


def test_a_damaged_member_of_a_zip_is_told_alone(tmp_path: Path) -> None:
    files = pictures("a", "b")
    content = zip_of(files)
    at = content.index(files[3][1]) + 20
    damaged = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    ((name, found),) = faulty_files(refusal(damaged, tmp_path))
    assert name == files[3][0]
    assert found.startswith("damaged or locked data: Bad CRC-32")


def test_a_name_that_occurs_twice_is_told_each_further_time(tmp_path: Path) -> None:
    files = [*pictures("a", "b"), *pictures("a", each=1), *pictures("a", each=1)]
    assert faulty_files(refusal(zip_of(files), tmp_path)) == [("a/0.png", "this name for the second time")] * 2
    assert refusal(tar_of(files), tmp_path).total == 2


def test_files_have_so_many_bytes_at_most(tmp_path: Path) -> None:
    for content in (zip_of(FILES, compression=zipfile.ZIP_DEFLATED), tar_of(FILES, gz=True), tar_of(FILES)):
        assert len(read(tmp_path / "upload", content, most_bytes=5003)) == 3
        with pytest.raises(InvalidUpload, match="files have more than 5,002 bytes"):
            read(tmp_path / "upload", content, most_bytes=5002)


def test_one_file_has_so_many_bytes_at_most(tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(zip_of([("a", b"12345")]))
    with opened(tmp_path / "upload", most_bytes=MOST) as files:
        (file,) = files
        assert file.read(most_bytes=5) == b"12345"
        with pytest.raises(UnreadableFile, match="more than 4 bytes"):
            file.read(most_bytes=4)


def test_an_archive_has_so_many_files_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_FILES", 2)
    for content in (zip_of(FILES), tar_of(FILES)):
        with pytest.raises(InvalidUpload, match="more than 2 files"):
            read(tmp_path / "upload", content)
    with pytest.raises(InvalidUpload, match="6 entries"):
        read(tmp_path / "upload", zip_of([*FILES, ("d/", b""), ("e/", b""), ("f/", b"")]))


def test_a_name_has_so_many_characters_at_most(tmp_path: Path) -> None:
    for pack in (zip_of, tar_of):
        assert read(tmp_path / "upload", pack([("n" * 1000, b"")])) == [("n" * 1000, b"")]
        with pytest.raises(InvalidUpload, match="name of 1,001 characters"):
            read(tmp_path / "upload", pack([("n" * 1001, b"")]))


@pytest.mark.parametrize(
    "content", [zip_of([]), zip_of([("__MACOSX/1", b""), (".DS_Store", b"")]), zip_of([("a/", b"")])], ids=len
)
def test_an_archive_without_files_is_refused(tmp_path: Path, content: bytes) -> None:
    assert refusal(content, tmp_path).detail == "the archive holds no files"


@pytest.mark.parametrize("option", [{"targets": ("y",)}, {"ignore": ("y",)}, {"missing": ("?",)}])
def test_options_of_tables_are_refused(tmp_path: Path, option: dict[str, Any]) -> None:
    assert "for tables, and this is an archive" in refusal(zip_of(pictures("a", "b")), tmp_path, **option).detail


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_gzip_is_refused(tmp_path: Path, share: float) -> None:
    rng = random.Random(0)
    content = tar_of([(f"a/{n}", rng.randbytes(999)) for n in range(20)], gz=True)
    with pytest.raises(InvalidUpload, match="the archive cannot be read"):
        read(tmp_path / "upload", content[: int(len(content) * share)])


@pytest.mark.parametrize("cut", [1, 2, 3, 100, 512, 513])
def test_a_tar_that_ends_early_is_refused(tmp_path: Path, cut: int) -> None:
    content = tar_of([("a/1", bytes(512)), ("a/2", bytes(512)), ("a/3", bytes(512))])
    with pytest.raises(InvalidUpload, match="the archive cannot be read"):
        read(tmp_path / "upload", content[: 512 * cut] if cut < 10 else content[: 2048 + cut])


def test_a_damaged_header_within_a_tar_is_refused(tmp_path: Path) -> None:
    content = bytearray(tar_of([("a/1", bytes(512)), ("a/2", bytes(512)), ("a/3", bytes(512))]))
    content[1024 + 10] ^= 1
    with pytest.raises(InvalidUpload, match="the archive cannot be read"):
        read(tmp_path / "upload", bytes(content))


def test_a_tar_gz_with_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    content = bytearray(tar_of(FILES, gz=True))
    content[-5] ^= 1
    content[-8] ^= 1
    with pytest.raises(InvalidUpload, match="the archive cannot be read"):
        read(tmp_path / "upload", bytes(content))


@pytest.mark.parametrize("form", ["zip", "deflated", "bzip2", "lzma", "tar", "tar.gz"])
def test_damage_of_any_kind_is_told(tmp_path: Path, form: str) -> None:
    files = pictures("a", "b", each=3)
    if form.startswith("tar"):
        content = tar_of(files, gz=form == "tar.gz")
    else:
        compression = COMPRESSIONS[["zip", "deflated", "bzip2", "lzma"].index(form)]
        content = zip_of(files, compression=compression)
    for seed in range(100):
        rng, damaged = random.Random(seed), bytearray(content)
        for _ in range(rng.choice([1, 2, 5])):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        damaged = damaged if seed % 2 else damaged[: rng.randrange(len(damaged))]
        try:
            read(tmp_path / "upload", bytes(damaged))
        except InvalidUpload as error:
            assert error.detail.isprintable()  # noqa: PT017 (it may also be sound)


def test_limits_hold_for_uploads(tmp_path: Path) -> None:
    limits = Limits(most_bytes=MOST, most_encoded_bytes=200)
    assert "more than 200 bytes" in refusal(zip_of(pictures("a", "b")), tmp_path, limits=limits).detail


@pytest.mark.parametrize("gz", [False, True])
def test_what_is_behind_a_tars_end_is_not_overlooked(tmp_path: Path, gz: bool) -> None:
    one, two = (tar_of([(f"{label}/{n}.png", picture((n, 0, 0))) for n in range(20)]) for label in "ab")
    joined = one + two
    damaged = bytearray(one)
    header = one.index(b"a/10.png")
    damaged[header : header + 512] = bytes(512)
    for content in (joined, bytes(damaged)):
        packed = gzip.compress(content) if gz else content
        assert "behind the archive's end" in refusal(packed, tmp_path).detail
    ended = one + bytes(4096)
    assert "one class" in refusal(gzip.compress(ended) if gz else ended, tmp_path).detail
