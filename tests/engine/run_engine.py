"""An engine in a process of its own, to be killed.

`python run_engine.py SITE SESSION [inline|dask] [forever]`
"""

import asyncio
import logging
import signal
import sys
from pathlib import Path

from eucentric.engine.cluster import connect
from eucentric.engine.engine import Engine
from eucentric.engine.executors import DaskExecutor, Executor, InlineExecutor
from eucentric.store import Database, Site

log = logging.getLogger(__name__)


def run_engine(folder: str, session: str, kind: str = "dask", until_idle: bool = True) -> None:
    """Run a session's engine until nothing is left to do, or until SIGTERM."""
    logging.basicConfig(
        filename=Path(folder) / "logs" / "engine.log",
        level=logging.INFO,
        format="%(asctime)s %(process)d %(levelname)s %(message)s",
        force=True,
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        asyncio.run(_run(Site.open(Path(folder)), session, kind, until_idle))
    except BaseException:
        log.exception("The engine has ended.")
        raise


async def _run(site: Site, session: str, kind: str, until_idle: bool) -> None:
    executor: Executor = InlineExecutor() if kind == "inline" else DaskExecutor(lambda: connect(site))
    with Database(site) as database:
        engine = Engine(site, database, session, executor, until_idle=until_idle)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, engine.stop)
        await engine.run()


if __name__ == "__main__":
    run_engine(*sys.argv[1:3], *sys.argv[3:4], until_idle="forever" not in sys.argv)
