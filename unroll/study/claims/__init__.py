"""What papers claim, held against our results: a registry of claims, their evidence, and the table of verdicts."""

# Importing a file registers its claims, in the order of the table.
from unroll.study.claims import identities, reconstruction, evolving, places, recovery, laptop  # noqa: F401, I001
from unroll.study.claims.claim import Claim, Estimate, NotThereError, claims
from unroll.study.claims.table import judge_claims, told

__all__ = ["Claim", "Estimate", "NotThereError", "claims", "judge_claims", "told"]
