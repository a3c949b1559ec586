"""f1-bronze report: the file, and the page as a browser shows it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from f1_bronze.cli.report_command import report
from f1_bronze.defs.monitoring.report import WEEKENDS_CHARTED, render

from ..chromium import Browser, chromium
from ..defs.coverages import NASTY, every_state, report_of
from ..weekend import Weekend

CONTRAST = """
const channel = value => (value /= 255) <= .03928 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4;
const luminance = colour => {
  const [red, green, blue] = colour.match(/[\\d.]+/g).slice(0, 3).map(Number).map(channel);
  return .2126 * red + .7152 * green + .0722 * blue;
};
const ground = element => {
  for (; element; element = element.parentElement) {
    const colour = getComputedStyle(element).backgroundColor;
    if (!/, 0\\)$/.test(colour)) return colour;
  }
};
const seen = {};
for (const element of document.querySelectorAll('main *, header *, footer *')) {
  if (![...element.childNodes].some(node => node.nodeType == 3 && node.data.trim())) continue;
  const [one, other] = [luminance(getComputedStyle(element).color), luminance(ground(element))];
  const name = element.tagName + '.' + element.className;
  const contrast = (Math.max(one, other) + .05) / (Math.min(one, other) + .05);
  seen[name] = Math.min(seen[name] ?? 99, contrast);
}
return seen;
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One window for all tests here."""
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """The report of a season in which everything can be seen."""
    path = tmp_path / "report.html"
    path.write_text(render(report_of(every_state())), encoding="utf-8")
    return path


def test_the_file(weekend: Weekend, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written where one stands, under the seasons' name, and the command says where."""
    monkeypatch.chdir(weekend.folder)
    ran = weekend.run(report, "2025")
    file = weekend.folder / "f1_bronze_report_2025.html"
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == f"Written: {file} ({file.stat().st_size / 1000:,.0f} kB)\n"
    text = file.read_text(encoding="utf-8")
    assert "All 10 datasets of 2 sessions are stored. Every rule holds." in text
    assert f"<b>{weekend.lake.store.uri('')}</b>" in text
    assert 'title="laps of 2025/bahrain/race: landed, 1,080 rows"' in text
    assert "up to about 1,300 expected" in text


def test_for_programs(weekend: Weekend) -> None:
    """--json has the path, the size and the figures of the page."""
    file = weekend.folder / "page.html"
    data = weekend.run(report, "2025", "--output", str(file), "--json").data
    assert data == {
        "status": 0,
        "path": str(file),
        "size_bytes": file.stat().st_size,
        "sessions": 2,
        "states": {"landed": 10},
        "overdue": 0,
        "rules_broken": {"ERROR": 0, "WARN": 0},
        "corrections": 0,
    }


def test_charts_of_sessions(weekend: Weekend) -> None:
    """The season and each session of the latest weekends are drawn, none above 40 kB."""
    file = weekend.folder / "page.html"
    assert weekend.run(report, "2025", "--output", str(file)).status == 0
    text = file.read_text(encoding="utf-8")
    drawn = re.findall(r'<svg xmlns.*? aria-label="(.*?)">.*?</svg>', text)
    assert [re.split(" &#183; | 2025", label)[0] for label in drawn] == [
        "Season",
        *("Lap times", "Places gained and lost", "Tyre strategy", "Race trace"),
        *("Positions by lap", "Pit stops"),
        *("Lap times", "Places gained and lost", "Qualifying gaps"),
    ]
    assert text.count('<details class="drawn">') == 2
    assert text.count('<details class="drawn" open>') == 1  # that of the season
    assert max(map(len, re.findall(r"<svg xmlns.*?</svg>", text))) < 40_000
    assert weekend.run(report, "2025", "--charts", "0", "--output", str(file)).status == 0
    assert "<svg xmlns" not in file.read_text(encoding="utf-8")
    [option] = [one for one in report.params if one.name == "weekends"]
    assert option.default == WEEKENDS_CHARTED


def test_charts_without_a_damaged_file(weekend: Weekend, caplog: pytest.LogCaptureFixture) -> None:
    """A file that cannot be read leaves its dataset out of the charts, with a warning."""
    file = weekend.folder / "page.html"
    weekend.file("laps").write_bytes(b"no Parquet")
    assert weekend.run(report, "2025", "--output", str(file)).status == 0
    text = file.read_text(encoding="utf-8")
    assert ("Tyre strategy" in text, "Lap times" in text) == (True, False)
    assert "Charts of the report are drawn without laps: " in caplog.text


def test_a_place_that_cannot_be_written(weekend: Weekend) -> None:
    """A folder that is not there ends in a sentence and exit status 1."""
    file = weekend.folder / "nowhere" / "page.html"
    ran = weekend.run(report, "2025", "--output", str(file))
    assert ran.status == 1
    assert ran.err == (
        f"Error: {file} could not be written (No such file or directory). Name another place "
        "with --output.\n"
    )


def test_in_a_browser(browser: Browser, page: Path) -> None:
    """It loads itself and nothing else, without a complaint; what is broken is in sight first."""
    browser.open(page)
    assert browser.requested() == {page.as_uri()}
    assert browser.complaints() == []
    first = browser.run("return document.querySelector('main article')")
    assert first.text.splitlines()[0] == "ERROR laps: lap_number 1 to 100"
    assert "44 112" in first.text.splitlines()
    assert browser.run("return document.querySelectorAll('.matrix tbody tr').length") == 6
    assert browser.run("return document.querySelectorAll('.matrix tbody td').length") == 36
    assert browser.run("return document.querySelectorAll('main img').length") == 0
    assert NASTY in browser.run("return document.querySelector('#problems').textContent")
    colours = browser.run(
        "return [...document.querySelectorAll('.legend .chip')]"
        ".map(chip => getComputedStyle(chip).backgroundColor)"
    )
    assert len(colours) == 8
    assert len(set(colours)) >= 7  # outdated and unrecorded differ in their frame


def test_charts_in_a_browser(browser: Browser, weekend: Weekend) -> None:
    """Several charts in one page do not draw with one another's parts, and the policy is kept."""
    file = weekend.folder / "page.html"
    assert weekend.run(report, "2025", "--output", str(file)).status == 0
    browser.open(file, width=390)
    assert (browser.requested(), browser.complaints()) == ({file.as_uri()}, [])
    ids = browser.run("return [...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))
    race = "document.querySelector('.drawn:nth-of-type(2)')"
    height = f"return {race}.getBoundingClientRect().height"
    folded = browser.run(height)
    browser.run(f"{race}.querySelector('summary').click()")
    assert browser.run(height) > folded + 6 * 200
    assert browser.run("return document.documentElement.scrollWidth") <= 390


def test_a_cell_opens(browser: Browser, page: Path) -> None:
    """Pressing a cell shows its details without any script of ours, and Escape hides them."""
    browser.open(page)
    cell = browser.run("return document.querySelector('.matrix .s-refused')")
    popover = f"#{cell.get_attribute('popovertarget')}"
    is_open = f"return document.querySelector('{popover}').matches(':popover-open')"
    assert browser.run(is_open) is False
    cell.send_keys("\n")
    assert browser.run(is_open) is True
    text = browser.run(f"return document.querySelector('{popover}').innerText")
    assert text.startswith("laps of 2025/bahrain/race")
    assert "OpenF1's answer lacks 4 rows. Materialize again later." in text
    cell.send_keys("\ue00c")
    assert browser.run(is_open) is False


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200], ids=["phone", "desktop"])
def test_it_is_legible(browser: Browser, page: Path, width: int, dark: bool) -> None:
    """In both schemes every text has the contrast that WCAG AA demands, and nothing is cut off."""
    browser.open(page, width=width, dark=dark)
    ground = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 22, 26)" if dark else "rgb(251, 250, 248)")
    contrasts = browser.run(CONTRAST)
    assert len(contrasts) > 25
    assert {name: ratio for name, ratio in contrasts.items() if ratio < 4.5} == {}
    assert browser.run("return document.documentElement.scrollWidth") <= width


def test_on_paper(browser: Browser, page: Path) -> None:
    """Printed, what is folded is unfolded and the navigation is left out."""
    browser.open(page)
    height = "return document.querySelector('#rules details').getBoundingClientRect().height"
    folded = browser.run(height)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.run(height) > folded + 30
    assert browser.run("return getComputedStyle(document.querySelector('nav')).display") == "none"
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
