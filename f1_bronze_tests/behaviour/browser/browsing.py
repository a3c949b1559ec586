"""A headless Chromium at the Dagster UI: what a person does and sees there."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from ...chromium import start_driver

PATIENCE = 20.0
"""Seconds that a page may take to show something, on a busy machine."""


class NotShown(AssertionError):
    """A page did not show what it should in time."""


class Browser:
    """One window. Paths are those of the UI, such as `/assets/bronze/laps`."""

    def __init__(self, url: str, screenshots: Path, folder: Path) -> None:
        self._url = url
        self._screenshots = screenshots
        flags = ("--window-size=1500,1300", "--proxy-server=direct://")
        self._driver = start_driver({"browser": "ALL"}, folder, *flags)

    def close(self) -> None:
        """End the browser."""
        self._driver.quit()

    def open(self, path: str, *, showing: str) -> str:
        """Go to a page and return its text as soon as it shows that."""
        self._driver.get(self._url + path)
        return self.text(showing)

    def text(self, showing: str) -> str:
        """The visible text, as soon as it shows that."""

        def look() -> str | None:
            text = self._driver.find_element(By.TAG_NAME, "body").text
            return text if showing in text else None

        return self._soon(look, f"{showing!r}")

    def click(self, text: str, nth: int = 0) -> None:
        """Click what carries exactly that text, the first that is visible by default."""
        self._soon(lambda: self._clicked(f"//*[normalize-space(.)='{text}']", nth), f"{text!r}")

    def expand(self, key: str) -> str:
        """Click [Show Markdown] beside a metadata key; the page's text with the dialog in it."""
        beside = f"//tr[td[normalize-space(.)='{key}']]//a[normalize-space(.)='[Show Markdown]']"
        self._soon(lambda: self._clicked(beside, 0), f"[Show Markdown] of {key}")
        return self.text("Copy\nClose")

    def image_width(self) -> int:
        """The natural width of the image that is shown, in pixels; 0 where it is broken."""
        image = "//img[starts-with(@src, 'data:image/svg+xml')]"
        element = self._soon(lambda: self._seen(image, 0), "an image")
        script = "return arguments[0].complete ? arguments[0].naturalWidth : 0"
        return int(self._soon(lambda: self._driver.execute_script(script, element), "its width"))

    def colour_of(self, text: str) -> tuple[int, int, int]:
        """Red, green and blue of the last text that is exactly that."""
        found = f"//*[normalize-space(text())='{text}']"
        element = self._soon(lambda: self._seen(found, -1), f"{text!r}")
        red, green, blue = re.findall(r"\d+", element.value_of_css_property("color"))[:3]
        return int(red), int(green), int(blue)

    def shoot(self, name: str) -> Path:
        """Keep a screenshot."""
        path = self._screenshots / f"{name}.png"
        self._driver.save_screenshot(str(path))
        return path

    def errors(self) -> list[str]:
        """What pages wrote to the console as an error since the last look."""
        return [line["message"] for line in self._driver.get_log("browser") if is_error(line)]

    def _seen(self, xpath: str, nth: int) -> WebElement | None:
        found = [e for e in self._driver.find_elements(By.XPATH, xpath) if e.is_displayed()]
        return found[nth] if found[nth:] else None

    def _clicked(self, xpath: str, nth: int) -> bool:
        element = self._seen(xpath, nth)
        if element is not None:
            script = "arguments[0].scrollIntoView({block: 'center', inline: 'nearest'})"
            self._driver.execute_script(script, element)
            element.click()
        return element is not None

    def _soon(self, look: Callable[[], Any], what: str) -> Any:
        """What `look` finds; pages render again and again, so it looks until the time is up."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                if found := look():
                    return found
            except (StaleElementReferenceException, ElementClickInterceptedException):
                pass  # rendered anew, or moved, between finding and asking
            time.sleep(0.1)
        shot = self.shoot("not_shown")
        raise NotShown(f"{self._driver.current_url} does not show {what}; see {shot}")


def is_error(line: dict[str, Any]) -> bool:
    """Whether a line of the console is an error, and not for want of the internet."""
    return line["level"] == "SEVERE" and "net::ERR" not in line["message"]
