"""Tells what an archive holds, and has that checked: class folders of pictures, IDX files, or NumPy's arrays."""

from pathlib import Path

from api.uploads.archives import opened
from api.uploads.arrays import check_arrays
from api.uploads.checked import CheckedArrays, CheckedImages, Limits, Progress, refuse_others
from api.uploads.folders import is_ignored
from api.uploads.images import check_images
from api.uploads.options import UploadOptions
from api.uploads.stored_arrays import idx_arrays, is_idx, npz_arrays
from jobs.faults import InvalidUpload

TOLD_EVERY = 200
"""Pictures after which progress is told."""


def check_archive(
    path: Path, options: UploadOptions, *, into: Path, limits: Limits, progress: Progress = lambda _: None
) -> CheckedImages | CheckedArrays:
    """Check an archive and write its arrays into a folder.

    Raises:
        InvalidUpload: it cannot be learnt from as it is.
    """
    with opened(path, most_bytes=limits.most_encoded_bytes) as files:
        names = [file.name for file in files if not is_ignored(file.name)]
    if not names:
        raise InvalidUpload("the archive holds no files")
    refuse_others(options.of_tables, kind="tables", found="an archive")
    if all(name.endswith(".npy") for name in names):
        refuse_others(options.of_pictures, kind="files of pictures", found="an archive of arrays")
        with npz_arrays(path, scratch=into, limits=limits) as arrays:
            return check_arrays(arrays, options, into=into, limits=limits)
    if any(is_idx(name) for name in names):
        refuse_others(options.of_pictures, kind="files of pictures", found="an archive of IDX files")
        with idx_arrays(path, scratch=into, limits=limits) as arrays:
            return check_arrays(arrays, options, into=into, limits=limits)
    done = 0

    def one_done() -> None:
        nonlocal done
        done += 1
        if done % TOLD_EVERY == 0:
            progress(min(0.99, done / (2 * len(names))))

    return check_images(path, options, into=into, limits=limits, file_done=one_done)
