"""What the fuzzed API has from the beginning, so that not every name the fuzzer thinks of is one too many."""

import io
import zipfile

from PIL import Image

DATASET = "known"
TABLE = b"age,city,bought\n31,Basel,yes\n,Bern,no\n45,,yes\n28,Basel,no\n52,Bern,yes\n39,Bern,no\n"
PICTURES = "known-pictures"


def archive(content: bytes = b"") -> bytes:
    """Pictures in class folders, and with content a file of it among them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as files:
        for n in range(8):
            picture = io.BytesIO()
            Image.new("L", (4, 4), 20 * n).save(picture, "PNG")
            files.writestr(f"{'ab'[n % 2]}/{n}.png", picture.getvalue())
        if content:
            files.writestr("a/content.png", content)
    return out.getvalue()


COLUMNS = ("age", "city")
"""What the model of the job that has succeeded asks for."""

JOB = "GRADIENTD_FUZZ_JOB"
"""Where the environment names that job."""
PICTURE_JOB = "GRADIENTD_FUZZ_PICTURE_JOB"
"""And where the one whose model takes pictures."""
