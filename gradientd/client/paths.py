"""Paths of the API. A name that is not a plain word cannot lead elsewhere."""

from urllib.parse import quote


def job_path(job_id: str) -> str:
    """Path of a job."""
    return f"/v1/jobs/{quote(job_id, safe='')}"


def weights_path(name: str) -> str:
    """Path of uploaded weights."""
    return f"/v1/weights/{quote(name, safe='')}"


def dataset_path(name: str) -> str:
    """Path of a dataset, or of the version that `name@version` names."""
    bare, _, version = name.partition("@")
    if not version:
        return f"/v1/datasets/{quote(name, safe='')}"
    return f"/v1/datasets/{quote(bare, safe='')}/versions/{quote(version, safe='')}"
