"""What schemathesis is told beside the document; it imports this module by name (`SCHEMATHESIS_HOOKS`)."""

import schemathesis

LONGEST_WAIT = "wait=1"


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict) -> None:
    """Let no request wait for a minute: nobody trains here, so a waiting reader would sit out its whole time."""
    for name, value in (case.headers or {}).items():
        if name.lower() == "prefer" and "wait" in str(value).lower():
            case.headers[name] = LONGEST_WAIT
