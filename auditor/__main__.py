"""``python -m auditor`` is ``fastcheck-auditor``."""

from auditor.main import main

if __name__ == "__main__":
    main()
