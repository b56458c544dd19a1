"""The report of a study, read from summaries alone, and the page of where its runs were made."""
