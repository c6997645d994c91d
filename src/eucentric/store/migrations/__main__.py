"""Write the next migration script: `python -m eucentric.store.migrations "What changes"`."""

import sys
import tempfile
from pathlib import Path

from alembic import command

from eucentric.store.connections import WRITING, checked_url, make_engine
from eucentric.store.migrations import SCRIPTS, alembic_config, migrate


def write_next_script(message: str) -> None:
    """Compare the scripts with `tables.py` and write what is missing as a new script in `versions/`."""
    number = 1 + len(list((SCRIPTS / "versions").glob("[0-9]*.py")))
    with tempfile.TemporaryDirectory() as folder:
        url = checked_url(f"sqlite:///{Path(folder) / 'empty.db'}")
        if number > 1:
            migrate(url)
        with make_engine(url, pooled=False).connect().execution_options(**{WRITING: True}) as connection:
            config = alembic_config(connection)
            config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
            command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")


if __name__ == "__main__":
    write_next_script(" ".join(sys.argv[1:]) or sys.exit("Say in a few words what changes."))
