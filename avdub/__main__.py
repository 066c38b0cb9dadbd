"""`python -m avdub`, the same as the `avdub` command."""

from avdub.cli import main

if __name__ == "__main__":
    main()
