"""The report of a study: figures, tables, one page, a terminal table. Reads summaries alone."""
