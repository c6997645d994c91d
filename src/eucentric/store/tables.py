"""All tables of the one database, the same for SQLite and PostgreSQL.

A session's engine alone writes the session's runs, tasks, items, batches and withdrawals, under the lease
in `session`; everyone else inserts into `command`. The session's monitor writes alarms and notices. Change
numbers (`change`) are issued per session by the engine, so a reader that asks for what has a greater number
than its cursor never misses a row. Times are seconds since the epoch, UTC. Numbers of rows to which JSON
columns refer are never given twice (`sqlite_autoincrement`).
"""

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

session = Table(
    "session",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("created", Float, nullable=False),
    # Share of the site's workers relative to other sessions.
    Column("weight", Float, nullable=False, server_default=text("1")),
    # How many of the site's workers its engine could use now.
    Column("demand", Integer, nullable=False, server_default=text("0")),
    # Who runs the session's engine: the lease, and the fencing token that every write of the engine checks.
    Column("lease_holder", String(200)),
    Column("lease_token", Integer, nullable=False, server_default=text("0")),
    Column("lease_expires", Float),
    # Why the engine holds back work (a full disk, ...); NULL while all is well.
    Column("held", Text),
    # What the engine is doing: NULL before its first start, then running, idle or stopped.
    Column("state", String(20)),
)

environment = Table(
    "environment",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("data", JSON, nullable=False),
)

run = Table(
    "run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session_id", ForeignKey("session.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("protocol", String(200), nullable=False),
    # The revision that is current, a row of run_revision.
    Column("revision", Integer, nullable=False),
    # A closed source looks for nothing new.
    Column("closed", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("session_id", "name"),
)

run_revision = Table(
    "run_revision",
    metadata,
    Column("run_id", ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("protocol_version", String(100), nullable=False),
    # Digest of the protocol's source file.
    Column("code", String(64), nullable=False),
    Column("params", JSON, nullable=False),
    # {port: "run.output" or [...]}
    Column("inputs", JSON, nullable=False),
    Column("environment_id", ForeignKey("environment.id"), nullable=False),
    Column("created", Float, nullable=False),
    # The revision of an accumulator from whose state this one goes on; NULL where it begins anew.
    Column("continues", Integer),
)

task = Table(
    "task",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session_id", ForeignKey("session.id", ondelete="CASCADE"), nullable=False),
    Column("run_id", ForeignKey("run.id", ondelete="CASCADE"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("acquisition", String(200), nullable=False),
    # The key path joined by "/"; empty for what belongs to the whole acquisition.
    Column("key", String(500), nullable=False),
    # The how-manieth task this is for its run, revision and key: it names the folder of the results.
    Column("generation", Integer, nullable=False),
    # Attempts begun, counted before a worker starts, so that a task that kills its worker is known.
    Column("attempt", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    # The newest task of its run and key.
    Column("current", Boolean, nullable=False),
    # {port: item id, [item ids] or null}
    Column("inputs", JSON, nullable=False),
    Column("seed", String(64), nullable=False),
    Column("worker", String(200)),
    Column("started", Float),
    Column("finished", Float),
    Column("error", Text),
    Column("log", String(1000)),
    Column("change", Integer, nullable=False),
    CheckConstraint("state in ('running', 'done', 'failed', 'rejected', 'interrupted')", name="state"),
    sqlite_autoincrement=True,
)
Index("ix_task_change", task.c.session_id, task.c.change)
Index(
    "uq_task_current",
    task.c.run_id,
    task.c.acquisition,
    task.c.key,
    unique=True,
    sqlite_where=text("current"),
    postgresql_where=text("current"),
)

item = Table(
    "item",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session_id", ForeignKey("session.id", ondelete="CASCADE"), nullable=False),
    Column("run_id", ForeignKey("run.id", ondelete="CASCADE"), nullable=False),
    Column("revision", Integer, nullable=False),
    # What made it: a task, a batch of an accumulator, or (neither) a source.
    Column("task_id", ForeignKey("task.id", ondelete="CASCADE")),
    Column("batch_id", ForeignKey("batch.id", ondelete="CASCADE")),
    Column("output", String(200), nullable=False),
    Column("acquisition", String(200), nullable=False),
    Column("key", String(500), nullable=False),
    Column("kind", String(100), nullable=False),
    Column("data", JSON, nullable=False),
    Column("state", String(20), nullable=False),
    Column("created", Float, nullable=False),
    Column("change", Integer, nullable=False),
    CheckConstraint("state in ('current', 'withdrawn', 'superseded')", name="state"),
    sqlite_autoincrement=True,
)
Index("ix_item_task_id", item.c.task_id)
Index("ix_item_batch_id", item.c.batch_id)
Index("ix_item_change", item.c.session_id, item.c.change)
Index(
    "uq_item_current",
    item.c.run_id,
    item.c.output,
    item.c.acquisition,
    item.c.key,
    unique=True,
    sqlite_where=item.c.state != "superseded",
    postgresql_where=item.c.state != "superseded",
)

# Exposures (or anything with a key) that a person or a rule took out of the stream at one run.
withdrawal = Table(
    "withdrawal",
    metadata,
    Column("run_id", ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    Column("acquisition", String(200), primary_key=True),
    Column("key", String(500), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("created", Float, nullable=False),
)

# The journal of accumulators: written before a batch runs, so that a restart replays it exactly.
batch = Table(
    "batch",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session_id", ForeignKey("session.id", ondelete="CASCADE"), nullable=False),
    Column("run_id", ForeignKey("run.id", ondelete="CASCADE"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("acquisition", String(200), nullable=False),
    # Version n is made from version n - 1 and this batch.
    Column("version", Integer, nullable=False),
    # [[key, {port: item id}], ...] in the order in which they are folded in.
    Column("added", JSON, nullable=False),
    Column("removed", JSON, nullable=False),
    Column("seed", String(64), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("started", Float),
    Column("finished", Float),
    Column("error", Text),
    Column("log", String(1000)),
    Column("change", Integer, nullable=False),
    UniqueConstraint("run_id", "revision", "acquisition", "version"),
    CheckConstraint("state in ('journalled', 'done', 'failed')", name="state"),
    sqlite_autoincrement=True,
)
Index("ix_batch_change", batch.c.session_id, batch.c.change)

command = Table(
    "command",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session_id", ForeignKey("session.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(50), nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("author", String(200), nullable=False),
    Column("created", Float, nullable=False),
    Column("handled", Float),
    # Why the engine refused it; NULL when it was carried out.
    Column("error", Text),
    sqlite_autoincrement=True,
)
Index("ix_command_open", command.c.session_id, command.c.handled, command.c.id)

# Which session's engine may use each of the site's workers, while the session's lease lasts.
slot = Table(
    "slot",
    metadata,
    Column("worker", String(200), primary_key=True),
    Column("session_id", ForeignKey("session.id", ondelete="SET NULL")),
)

# What a rule of the session's monitor found wrong, from when it was raised until it was cleared. The monitor
# writes it; who acknowledges it writes those two columns alone.
alarm = Table(
    "alarm",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session_id", ForeignKey("session.id", ondelete="CASCADE"), nullable=False),
    Column("rule", String(50), nullable=False),
    # What it is about: an acquisition, a disk; empty for the session.
    Column("subject", String(500), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("value", Float, nullable=False),
    Column("message", Text, nullable=False),
    Column("raised", Float, nullable=False),
    # Since when it has been well again; NULL while it is not.
    Column("well_since", Float),
    Column("cleared", Float),
    # When it was last told to people; NULL while it never was.
    Column("told", Float),
    Column("acknowledged", Float),
    Column("acknowledged_by", String(200)),
    CheckConstraint("severity in ('warning', 'critical')", name="severity"),
    sqlite_autoincrement=True,
)
Index(
    "uq_alarm_open",
    alarm.c.session_id,
    alarm.c.rule,
    alarm.c.subject,
    unique=True,
    sqlite_where=alarm.c.cleared.is_(None),
    postgresql_where=alarm.c.cleared.is_(None),
)

# Rules of a session of which nothing is told until a time.
alarm_mute = Table(
    "alarm_mute",
    metadata,
    Column("session_id", ForeignKey("session.id", ondelete="CASCADE"), primary_key=True),
    # Empty: all rules.
    Column("rule", String(50), primary_key=True),
    Column("until", Float, nullable=False),
    Column("author", String(200), nullable=False),
    Column("created", Float, nullable=False),
)

# What is to be told of an alarm on one channel: written with the alarm, sent afterwards.
notice = Table(
    "notice",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("alarm_id", ForeignKey("alarm.id", ondelete="CASCADE"), nullable=False),
    Column("channel", String(100), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("message", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    # When it is tried next; NULL when it was sent, or given up.
    Column("due", Float),
    Column("sent", Float),
    # Why it was not sent the last time.
    Column("error", Text),
    CheckConstraint("kind in ('raised', 'reminded', 'cleared')", name="kind"),
    sqlite_autoincrement=True,
)
Index("ix_notice_alarm_id", notice.c.alarm_id)
Index("ix_notice_due", notice.c.due)
