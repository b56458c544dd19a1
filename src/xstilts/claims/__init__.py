"""Claims of papers, and a user's own, asked of the rows of a study: claims.yaml to verdicts."""
