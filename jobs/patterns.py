"""Forms that texts of a request have, and each in words, for those who wrote another."""

DEVICE = r"^(auto|cpu|gpu|gpu:(0|[1-9][0-9]?))$"
DATASET = r"^[a-z0-9][a-z0-9._-]{0,63}(@[1-9][0-9]{0,8})?$"
INIT_FROM = r"^(job_[0-9A-HJKMNP-TV-Z]{26}(@(best|last))?|weights:[a-z0-9][a-z0-9._-]{0,63})$"
LAYER_NAME = r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$"
URL = r"^https?://[!-~]+$"
SIZE = r"^[1-9][0-9]{0,3}x[1-9][0-9]{0,3}$"

IN_WORDS = {
    DEVICE: "auto, cpu, gpu, or gpu:1 for a certain one",
    DATASET: "the name of a dataset (lower-case letters, digits and . _ -, first a letter or digit, 64 at most), "
    "or of a version of one, such as digits@2",
    INIT_FROM: "the id of a job (job_…), such an id with @best or @last behind it, or weights:NAME",
    LAYER_NAME: "a name: letters, digits and . _ -, first a letter, 64 at most",
    URL: "an address that begins with http:// or https://, in printable ASCII",
    SIZE: "HEIGHTxWIDTH in pixels, such as 64x64",
}
