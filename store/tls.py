"""Why a connection over TLS was refused, in words."""

import ssl
from collections.abc import Iterator

_REASONS = {
    9: "is not valid yet",
    10: "has expired",
    18: "is signed by nobody but itself; where that is meant, GRADIENTD_REDIS_CA names it",
    19: "is signed by an authority that is not trusted here; where that is meant, GRADIENTD_REDIS_CA names it",
    20: "is signed by an authority that is not trusted here; where that is meant, GRADIENTD_REDIS_CA names it",
    21: "is signed by an authority that is not trusted here; where that is meant, GRADIENTD_REDIS_CA names it",
    62: "is another host's",
    64: "is another host's",
}
"""What OpenSSL's most common verdicts (X509_V_ERR_…) mean of a certificate."""


def explained(error: BaseException) -> str:
    """What an error of a connection says; of a certificate that was refused, in a sentence."""
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            said = cause.verify_message.rstrip(".")
            reason = _REASONS.get(cause.verify_code, "is refused")
            return f"its certificate {reason} ({said}). Nothing was sent to it"
        if isinstance(cause, ssl.SSLError):
            said = (cause.reason or str(cause)).replace("_", " ").lower()
            return f"no connection over TLS came about ({said}). Nothing was sent to it"
    return str(error) or type(error).__name__


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__
