"""What an acquisition's particles have become: 2D classes and a first map, in a picture and some figures."""

from typing import Any

from sqlalchemy import Connection, select

from eucentric.engine.recollect import read_runs
from eucentric.monitors.run_order import downstream
from eucentric.store.tables import item

Figures = list[tuple[str, str]]
_KINDS = ("class_averages", "initial_map")


def read_results(connection: Connection, session_id: int) -> dict[str, list[dict[str, Any]]]:
    """Return what there is of each acquisition of a session, as `results_of` does."""
    runs = read_runs(connection, session_id)
    order = [runs[name].id for name in downstream(runs)]
    query = select(item.c.acquisition, item.c.kind, item.c.run_id, item.c.data).where(
        item.c.session_id == session_id, item.c.state == "current", item.c.kind.in_(_KINDS)
    )
    shared: dict[str, dict[str, dict[str, Any]]] = {}
    for row in sorted(connection.execute(query), key=lambda row: order.index(row.run_id)):
        shared.setdefault(row.acquisition, {})[row.kind] = row.data
    return {acquisition: results_of(items) for acquisition, items in sorted(shared.items())}


def results_of(shared: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what there is, each with `title`, `figures`, and `picture` and `path`.

    These two are files within the session, or None.

    Args:
        shared: The items of the whole acquisition, by kind.
    """
    found = []
    if classes := shared.get("class_averages"):
        found.append(_result("2D classes", classes, _of_classes(classes)))
    if first_map := shared.get("initial_map"):
        found.append(_result("First map", first_map, _of_map(first_map)))
    return found


def _result(title: str, item: dict[str, Any], figures: Figures) -> dict[str, Any]:
    return {
        "title": title,
        "picture": item.get("picture_path"),
        "path": item.get("path"),
        "figures": figures,
    }


def _of_classes(item: dict[str, Any]) -> Figures:
    figures = [
        ("classes selected", f"{item['selected_classes']} of {item['classes']}"),
        ("particles selected", f"{_count(item['selected_particles'])} of {_count(item['particles'])}"),
    ]
    if item.get("resolution"):
        figures.append(("best class to", f"{item['resolution']:.1f} Å"))
    return [*figures, ("pixel size", f"{item['pixel_size']:.2f} Å")]


def _of_map(item: dict[str, Any]) -> Figures:
    figures = [("particles", _count(item["particles"])), ("symmetry", item["symmetry"])]
    if item.get("resolution"):
        figures.append(("halves agree to", f"{item['resolution']:.1f} Å"))
    return [*figures, ("pixel size", f"{item['pixel_size']:.2f} Å"), ("box", f"{item['box']} px")]


def _count(number: int) -> str:
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
