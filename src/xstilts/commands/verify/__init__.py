"""`xstilts verify`: a finished study against another one."""
