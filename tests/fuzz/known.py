"""What the fuzzed API has from the beginning, so that not every name the fuzzer thinks of is one too many."""

DATASET = "known"
TABLE = b"age,city,bought\n31,Basel,yes\n,Bern,no\n45,,yes\n28,Basel,no\n52,Bern,yes\n39,Bern,no\n"
COLUMNS = ("age", "city")
"""What the model of the job that has succeeded asks for."""

JOB = "GRADIENTD_FUZZ_JOB"
"""Where the environment names that job."""
