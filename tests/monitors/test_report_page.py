"""The live report in a real browser: it draws, its plots are linked, and it asks nobody for anything."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from eucentric.monitors.alarms import OpenAlarm
from eucentric.monitors.report import ReportWriter
from eucentric.monitors.system import GPUSample
from monitors.conftest import Night
from monitors.test_system import sample_at
from monitors.written_session import movie_of

CHECKS = Path(__file__).with_name("page_checks.js")
ALARM = OpenAlarm(
    number=1,
    rule="disk",
    title="Disk filling up",
    subject="/data",
    severity="critical",
    raised=1.7e9,
    cleared=None,
    acknowledged=None,
    acknowledged_by=None,
    muted=False,
    value=3.2,
    message="The disk is full in 3.2 h <b>at the present rate</b>.",
    advice="Free some space.",
)


@pytest.fixture(scope="module")
def page_file(night: Night) -> Path:
    card = GPUSample(name="NVIDIA H200", use=50, memory=1, memory_total=4)
    samples = [sample_at(1.7e9 + 10 * n).model_copy(update={"gpus": [card]}) for n in range(50)]
    file = night.folder / "report" / "index.html"
    ReportWriter(night.folder).write(file, night.record, samples, [ALARM])
    return file


Open = Callable[..., Any]


@pytest.fixture
def opened(browser: Any, page_file: Path) -> Iterator[Open]:
    """Open the report (or a text instead of it); at the end nothing may have been asked or complained of."""
    contexts, wrong = [], []

    def look(address: str = "", *, file: Path = page_file, width: int = 1500, scheme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(path=CHECKS)
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.append(request.url) if _outside(request.url, file) else None)
        page.goto(file.as_uri() + address)
        return page

    yield look
    for context in contexts:
        context.close()
    assert wrong == []


def _outside(address: str, file: Path) -> bool:
    return not address.startswith(("data:", "blob:", file.as_uri()))


def tiles(page: Any) -> dict[str, str]:
    found: dict[str, str] = page.evaluate("checks.tiles()")
    return found


def test_the_numbers_are_those_of_the_session(opened: Open, night: Night) -> None:
    page = opened("#acquisition=grid-1")
    shown, exposures = tiles(page), night.record.acquisitions["grid-1"]
    assert shown["exposures"] == "120"
    for state, label in (("rejected", "rejected"), ("failed", "failed"), ("waiting", "waiting")):
        assert shown[label] == str(sum(each.state == state for each in exposures))
    accepted = [each for each in exposures if each.state == "done"]
    assert shown["accepted"].startswith(f"{len(accepted)} ")
    particles = sum(each.items["particles"]["count"] for each in accepted)
    assert shown["particles"].replace("\u202f", "") == str(particles)
    assert shown["per hour, last hour"] == "300"
    assert page.locator("#facts").text_content().count("300 kV") == 1
    assert "50 e⁻/Å² (1.25 per frame)" in page.locator("#facts").text_content()


def test_every_figure_that_is_known_has_a_plot_with_its_unit(opened: Open) -> None:
    page = opened("#acquisition=grid-1")
    titles = page.locator("#plots figcaption b").all_inner_texts()
    for title in ("Defocus [µm]", "CTF fit to [Å]", "Motion [Å]", "Astigmatism [Å]", "Counts / expected [%]"):
        assert title in titles
    assert "Phase shift [°]" not in titles  # there is no phase plate
    assert all(page.evaluate("checks.drawn()"))
    assert page.locator("#load-plots figure").count() == 5
    assert "NVIDIA H200" in page.locator("#load-plots").inner_text()


def test_the_cursor_is_at_the_same_exposure_everywhere(opened: Open, night: Night) -> None:
    page = opened("#acquisition=grid-1")
    over = page.locator("#plots .u-over").first
    box = over.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 60)
    name = page.locator("#readout").inner_text().split(" · ")[0]
    exposure = next(each for each in night.record.acquisitions["grid-1"] if each.name == name)
    shown = page.evaluate("checks.readOuts()")
    ctf, micrograph = exposure.items["ctf"], exposure.items["micrograph"]
    assert shown["Defocus [µm]"] == f"{(ctf['defocus_u'] + ctf['defocus_v']) / 2e4:.2f}\u202fµm"
    assert shown["Motion [Å]"] == f"{micrograph['motion_total']:.1f}\u202fÅ"


def test_dragging_looks_closer_everywhere(opened: Open) -> None:
    page = opened("#acquisition=grid-1")
    box = page.locator("#plots .u-over").nth(2).bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60, steps=4)
    page.mouse.up()
    seen = int(page.locator("#in-view").inner_text().split()[2])
    assert 25 <= seen <= 35
    assert "within the range in view" in page.locator("#table-count").inner_text()
    assert page.locator("#exposure").is_hidden()  # a drag is no click
    page.reload()
    assert int(page.locator("#in-view").inner_text().split()[2]) == seen  # kept when the page is read again
    page.locator("#whole").click()
    assert page.locator("#in-view").inner_text() == "of the 120 exposures in view"


def test_clicking_a_point_opens_its_exposure(opened: Open, night: Night) -> None:
    page = opened("#acquisition=grid-1")
    over = page.locator("#plots .u-over").first
    box = over.bounding_box()
    found = False
    for y in range(8, int(box["height"]), 6):
        page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + y)
        found = page.locator("#exposure").is_visible()
        if found:
            break
    assert found
    name = page.locator("#exposure-title").inner_text()
    exposure = next(each for each in night.record.acquisitions["grid-1"] if each.name == name)
    assert f"{exposure.items['ctf']['resolution']:.2f}\u202fÅ" in page.locator("#exposure table").inner_text()
    assert f"exposure={name}" in page.url
    page.keyboard.press("ArrowRight")
    assert page.locator("#exposure-title").inner_text() != name
    page.keyboard.press("Escape")
    assert page.locator("#exposure").is_hidden()


def test_an_exposure_shows_its_pictures_and_where_its_particles_are(opened: Open, night: Night) -> None:
    exposure = [each for each in night.record.acquisitions["grid-1"] if each.state == "done"][-1]
    page = opened(f"#acquisition=grid-1&exposure={exposure.name}")
    assert page.locator("#exposure .switch").inner_text().strip() == "60 particles"
    assert page.locator("#exposure img").evaluate("each => each.naturalWidth") == 320
    assert page.locator("#exposure .patch").count() == 12
    assert page.locator("#exposure .profile .found").get_attribute("d").count("L") == 299
    page.wait_for_function("document.querySelector('#exposure canvas').width > 300")
    assert page.evaluate("checks.yellow()") > 1000
    page.locator("#exposure .switch input").uncheck()
    assert page.evaluate("checks.yellow()") == 0


def test_classes_and_map_are_shown_with_their_figures(opened: Open, night: Night) -> None:
    page = opened()
    shown = page.locator("#results figure")
    assert shown.count() == 1
    assert "9 of 24" in shown.inner_text()
    assert "22\u202f000 of 31\u202f415" in shown.inner_text()
    assert shown.locator("img").evaluate("each => [each.naturalWidth, each.naturalHeight]") == [384, 256]
    page.get_by_role("tab", name="grid-2").click()
    assert "There is no picture yet." in page.locator("#results").inner_text()


def test_what_went_wrong_is_listed_with_reasons_and_found(opened: Open, night: Night) -> None:
    page = opened("#acquisition=grid-1")
    bad = [each for each in night.record.acquisitions["grid-1"] if each.state in ("rejected", "failed")]
    assert page.locator("#table tbody tr").count() == len(bad)
    page.locator("#table-search").fill("cannot be decoded")
    assert page.locator("#table tbody tr").count() == sum(each.state == "failed" for each in bad)
    page.locator("#table tbody button").first.click()
    assert "frame 12 of the movie cannot be decoded" in page.locator("#exposure .why").inner_text()
    page.locator("#exposure button[aria-label=Close]").click()
    page.locator("#table-search").fill("")
    page.locator("#table-state").select_option("all")
    with page.expect_download() as download:
        page.locator("#csv").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 121
    assert lines[0].startswith("exposure,taken,state,run,reason,Defocus [µm]")


def test_states_can_be_left_out(opened: Open) -> None:
    page = opened("#acquisition=grid-1")
    page.locator("input[data-state=rejected]").uncheck()
    page.locator("input[data-state=waiting]").uncheck()
    accepted = tiles(page)["accepted"].split()[0]
    assert page.locator("#in-view").inner_text() == f"of the {accepted} exposures in view"


def test_acquisitions_are_apart(opened: Open) -> None:
    page = opened()
    assert page.locator("[role=tab]").all_inner_texts() == ["grid-2 (20)", "grid-1 (120)"]
    assert page.locator("[role=tab][aria-selected=true]").inner_text() == "grid-1 (120)"  # the newest
    page.locator("[role=tab]").first.click()
    assert tiles(page)["exposures"] == "20"


def test_by_keyboard_alone(opened: Open) -> None:
    page = opened("#acquisition=grid-1")
    plot = page.locator("#plots .canvas").first
    assert "median" in plot.get_attribute("aria-label")
    plot.focus()
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowLeft")
    name = page.locator("#readout").inner_text().split(" · ")[0]
    page.keyboard.press("Enter")
    assert page.locator("#exposure-title").inner_text() == name
    assert page.evaluate("checks.unnamed()") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_in_light_and_dark(opened: Open, night: Night, scheme: str) -> None:
    rejected = next(each for each in night.record.acquisitions["grid-1"] if each.state == "rejected")
    page = opened(f"#acquisition=grid-1&exposure={rejected.name}", scheme=scheme)
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    assert page.evaluate("checks.poorContrast()") == []
    page.locator("#theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") != scheme
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") != scheme


def test_on_a_phone_nothing_is_wider_than_the_screen(opened: Open) -> None:
    page = opened("#acquisition=grid-1", width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_alarms_are_at_the_head_and_text_stays_text(opened: Open) -> None:
    page = opened()
    alarm = page.locator("#alarms .alarm.critical")
    assert "<b>at the present rate</b>" in alarm.inner_text()
    assert "Free some space." in alarm.inner_text()


def test_hostile_names_do_nothing(opened: Open, night: Night, tmp_path: Path) -> None:
    hostile = "</script><img src=x onerror=document.title='broken'>"
    record = night.record
    row = record.acquisitions["grid-2"][0]
    kept = row.reason, row.state, row.version
    row.reason, row.state, row.version = hostile, "failed", row.version + 1000
    writer = ReportWriter(night.folder)
    file = tmp_path / "hostile.html"
    try:
        writer.write(file, record)
    finally:
        row.reason, row.state, row.version = kept
    page = opened("#acquisition=grid-2", file=file)
    page.locator("#table-search").fill("onerror")
    assert hostile in page.locator("#table tbody").inner_text()
    assert page.title() == "night · Eucentric"


def test_a_session_without_exposures_says_so(opened: Open, database_of_nothing: Path) -> None:
    page = opened(file=database_of_nothing)
    assert page.locator("#empty").is_visible()
    assert page.locator("#acquisition").is_hidden()


@pytest.fixture
def database_of_nothing(tmp_path: Path) -> Path:
    from eucentric.monitors.exposures import SessionRecord
    from eucentric.store import Database, Site
    from monitors.written_session import WrittenSession

    site = Site.create(tmp_path / "site")
    with Database.open(site) as database:
        record = SessionRecord(WrittenSession(database).number)
        with database.read() as connection:
            record.update(connection)
        ReportWriter(tmp_path).write(tmp_path / "empty.html", record)
    return tmp_path / "empty.html"


def test_the_data_within_are_whole_json(page_file: Path) -> None:
    text = page_file.read_text()
    inner = text.split('id="data">')[1].split("</script>")[0]
    data = json.loads(inner)
    assert [len(each["rows"]) for each in data["acquisitions"]] == [20, 120]
    assert movie_of(("a", "b"), 1.0).path.rsplit("/", 1)[0] not in inner  # no folders of the site


def test_the_page_follows_a_session_and_keeps_what_was_chosen(
    browser: Any, night: Night, tmp_path: Path
) -> None:
    """Over HTTP; the browser's clock is put forward, so that nobody has to wait."""
    file, writer = tmp_path / "index.html", ReportWriter(night.folder)
    writer.write(file, night.record)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    context = browser.new_context()
    try:
        page = context.new_page()
        page.clock.install()
        page.goto(f"http://127.0.0.1:{server.server_port}/index.html#acquisition=grid-2")
        page.locator("#table-search").fill("decoded")
        page.evaluate("window.before = true")
        with page.expect_response(lambda answer: answer.request.method == "HEAD"):
            page.clock.run_for(20_000)
        assert page.evaluate("window.before")  # nothing is new
        writer.write(file, night.record, alarms=[ALARM])
        os.utime(file, (2e9, 2e9))
        page.clock.run_for(20_000)
        page.wait_for_selector("#alarms .alarm.critical")
        assert page.locator("#table-search").input_value() == "decoded"
        assert page.locator("[role=tab][aria-selected=true]").inner_text() == "grid-2 (20)"
    finally:
        context.close()
        server.shutdown()
        server.server_close()
        serving.join()


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_arguments: object) -> None:
        pass
