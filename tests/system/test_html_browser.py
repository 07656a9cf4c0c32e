# SPDX-License-Identifier: Apache-2.0
"""The page of a night in a real browser, opened from its file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.report.html import write_html
from tests.browser import Browser, chromium
from tests.unit.html_nights import big_night, hostile_night

_FOCUSED = "document.activeElement.closest('details')?.id ?? document.activeElement.id"
_SHOWN = "[...document.querySelectorAll('#runs tr[data-run]')].filter(r => r.offsetParent).length"
_BACKGROUND = "getComputedStyle(document.body).backgroundColor"
_WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Smallest contrast of text that WCAG 2 (level AA) asks for.
_CONTRAST = 4.5


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("night")
    out = folder / "report.html"
    write_html(big_night(folder, lines=200), out)
    return out


@pytest.fixture
def opened(browser: Browser, page: Path) -> Iterator[Browser]:
    browser.scheme("light")
    browser.open(page)
    browser.value("localStorage.clear()")
    yield browser
    assert browser.complaints() == []
    assert set(browser.requests()) == {page.resolve().as_uri()}


def test_500_cells_open_without_a_complaint_or_a_request(
    browser: Browser, page: Path, record_property: Callable[[str, object], None]
) -> None:
    seconds = browser.open(page)
    record_property("open_s", round(seconds, 3))
    assert browser.complaints() == []
    assert browser.requests() == [page.resolve().as_uri()]
    assert browser.value("document.querySelectorAll('.grid a').length") == 501


def test_keys_go_from_failure_to_failure(opened: Browser) -> None:
    opened.press("j")
    first = opened.value(_FOCUSED)
    opened.press("j")
    second = opened.value(_FOCUSED)
    assert first.startswith("run-") and second.startswith("run-") and first != second
    assert opened.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    top = opened.value("document.activeElement.getBoundingClientRect().top")
    assert 0 <= top < 900
    assert not opened.value("document.activeElement.parentElement.open")
    opened.press("Enter")
    assert opened.value("document.activeElement.parentElement.open")
    opened.press("k")
    assert opened.value(_FOCUSED) == first


def test_slash_filters_and_escape_shows_everything(opened: Browser) -> None:
    assert opened.value(_SHOWN) == 501
    opened.press("/", *"max harts=4 aia")
    assert opened.value(_FOCUSED) == "filter"
    shown = opened.value(_SHOWN)
    assert 0 < shown < 60
    assert opened.value("document.getElementById('shown').textContent") == f"{shown} shown"
    off = opened.value("document.querySelectorAll('.grid a.off').length")
    assert off == 501 - shown
    opened.press("Escape")
    assert opened.value(_SHOWN) == 501
    opened.value("document.querySelector('button[data-verdict=CRASH]').click()")
    assert opened.value(_SHOWN) == 100
    opened.value("document.querySelector('button[data-verdict=CRASH]').click()")
    assert opened.value(_SHOWN) == 501


def test_arrows_move_in_the_matrix_and_enter_opens_the_run(opened: Browser) -> None:
    opened.value("document.querySelector('.grid tbody tr td a').focus()")
    place = "[document.activeElement.closest('tr').rowIndex, \
        document.activeElement.closest('td').cellIndex]"
    assert opened.value(place) == [1, 1]
    opened.press("ArrowRight", "ArrowDown")
    assert opened.value(place) == [2, 2]
    opened.press("ArrowLeft", "ArrowUp")
    assert opened.value(place) == [1, 1]
    opened.value("document.querySelector('.grid a.v-CRASH').focus()")
    target = opened.value("document.activeElement.hash.slice(1)")
    opened.press("Enter")
    opened.value("new Promise(done => setTimeout(done, 0))")
    assert opened.value(_FOCUSED) == target
    if opened.value(f"document.getElementById('{target}').matches('details')"):
        assert opened.value(f"document.getElementById('{target}').open")


def test_dark_is_what_the_system_says_until_the_reader_chooses(opened: Browser, page: Path) -> None:
    light = opened.value(_BACKGROUND)
    opened.scheme("dark")
    dark = opened.value(_BACKGROUND)
    assert _luminance(dark) < 0.05 < 0.9 < _luminance(light)
    opened.press("t")
    assert opened.value(_BACKGROUND) == light
    opened.value("document.getElementById('theme').click()")
    assert opened.value(_BACKGROUND) == dark


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_told_from_what_is_behind_it(opened: Browser, scheme: str) -> None:
    opened.scheme(scheme)
    pairs = opened.value("""(() => {
        const behind = (e) => {
            for (; e; e = e.parentElement) {
                const color = getComputedStyle(e).backgroundColor;
                if (color !== "rgba(0, 0, 0, 0)") return color;
            }
        };
        const texts = [...document.querySelectorAll(
            ".v, .facts, .keys, dt, code, a, th, td, figcaption, h2, .clock, .count, footer")];
        const all = texts.map(e =>
            [getComputedStyle(e).color, behind(e), e.className || e.tagName]);
        const drawn = [...document.querySelectorAll("svg text")].map(
            e => [getComputedStyle(e).fill, behind(e), e.getAttribute("class")]);
        return [...new Set([...all, ...drawn].map(JSON.stringify))].map(s => JSON.parse(s));
    })()""")
    assert len(pairs) > 10
    poor = [pair for pair in pairs if _contrast(pair[0], pair[1]) < _CONTRAST]
    assert poor == []


@pytest.mark.parametrize("width", [1400, 420])
def test_nothing_is_wider_than_the_window(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width=width)
    browser.value("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert browser.value(_WIDER) == 0


def test_print_shows_the_runs_and_no_controls(opened: Browser) -> None:
    opened.call("Emulation.setEmulatedMedia", media="print")
    assert opened.value("document.getElementById('bar').offsetParent") is None
    assert opened.value(_SHOWN) == 501
    opened.call("Emulation.setEmulatedMedia", media="")


def test_hostile_output_runs_nothing(browser: Browser, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    write_html(hostile_night(tmp_path), out)
    browser.open(out)
    browser.value("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    links = "[...document.querySelectorAll('main a[href]')].filter(a => a.protocol !== 'file:')"
    assert browser.value(f"{links}.length") == 0
    assert browser.value("typeof window.pwned") == "undefined"
    assert browser.value("document.scripts.length") == 1
    # What the policy had to stop would be among the complaints.
    assert browser.complaints() == []
    assert browser.requests() == [out.resolve().as_uri()]
    assert browser.value(_WIDER) == 0


def _luminance(color: str) -> float:
    """Return the relative luminance (WCAG 2) of a CSS colour `rgb(r, g, b)`."""
    numbers = [int(part) / 255 for part in color.removeprefix("rgb(").rstrip(")").split(",")]
    red, green, blue = (
        n / 12.92 if n <= 0.04045 else math.pow((n + 0.055) / 1.055, 2.4) for n in numbers
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)
