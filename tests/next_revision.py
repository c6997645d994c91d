"""A revision of the tables that is yet to come, made up to try what migrations do."""

import shutil
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import URL

from eucentric.store.migrations import SCRIPTS

STEP = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    with op.batch_alter_table("session", recreate="{recreate}") as table:
        table.add_column(sa.Column("colour", sa.String(20), server_default="blue", nullable=False))
    {more}
"""


def scripts_with(folder: Path, url: URL, more: str = "pass") -> Path:
    """The scripts, and one more that makes a table anew to which all others refer."""
    head = ScriptDirectory(SCRIPTS).get_current_head()
    scripts = folder / "scripts"
    shutil.copytree(SCRIPTS, scripts)
    recreate = "always" if url.get_backend_name() == "sqlite" else "auto"
    (scripts / "versions" / "9999.py").write_text(STEP.format(head=head, recreate=recreate, more=more))
    return scripts
