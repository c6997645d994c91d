"""One database: tables, migrations, transactions, the bell."""

from eucentric.store.bell import Bell
from eucentric.store.database import Database
from eucentric.store.errors import DatabaseBusy, DatabaseUnavailable, DiskFull, StoreError
from eucentric.store.site import Site, SiteError, WorkerSettings

__all__ = [
    "Bell",
    "Database",
    "DatabaseBusy",
    "DatabaseUnavailable",
    "DiskFull",
    "Site",
    "SiteError",
    "StoreError",
    "WorkerSettings",
]
