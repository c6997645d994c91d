"""The statements of every task, built once: SQLAlchemy takes longer to build one than SQLite to run it."""

from typing import Any

from sqlalchemy import bindparam, insert, literal_column, update

from eucentric.store import tables

_task, _item = tables.task.c, tables.item.c
HERE: dict[str, Any] = {
    "run_id": bindparam("of_run"),
    "acquisition": bindparam("of_acquisition"),
    "key": bindparam("of_key"),
}
# Written out, since SQLite uses the indexes of what is current for these very words only.
CURRENT: Any = literal_column("task.current")
NOT_SUPERSEDED = _item.state != literal_column("'superseded'")
SUPERSEDE = (
    update(tables.item)
    .where(*(_item[name] == value for name, value in HERE.items()), _item.output == bindparam("of_output"))
    .where(NOT_SUPERSEDED)
    .values(state="superseded", change=bindparam("new_change"))
)
RETIRE = (
    update(tables.task)
    .where(*(_task[name] == value for name, value in HERE.items()), CURRENT)
    .values(current=False)
    .returning(_task.revision, _task.generation, _task.attempt)
)
START = insert(tables.task).returning(_task.id)
END = (
    update(tables.task)
    .where(_task.id == bindparam("of_task"))
    .values(
        state=bindparam("new_state"),
        finished=bindparam("new_finished"),
        error=bindparam("new_error"),
        log=bindparam("new_log"),
        change=bindparam("new_change"),
    )
)
INSERT_ITEMS = insert(tables.item).returning(_item.id, sort_by_parameter_order=True)
