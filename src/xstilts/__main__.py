"""`python -m xstilts`: what `launch` starts in every worker."""

from xstilts.cli import main

if __name__ == "__main__":
    main()
