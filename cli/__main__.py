"""``python -m cli`` is ``fastcheck``."""

from cli.main import main

if __name__ == "__main__":
    main()
