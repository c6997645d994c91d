"""Write the page of the crosswalk anew: `python -m eucentric.metadata.vocabulary [FILE]`."""

import sys
from pathlib import Path

from eucentric.metadata.vocabulary.page import crosswalk_page

PAGE = Path("docs/reference/crosswalk.md")

if __name__ == "__main__":
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    file.write_text(crosswalk_page(), encoding="utf-8")
