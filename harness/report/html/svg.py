# SPDX-License-Identifier: Apache-2.0
"""Elements of SVG as text that is escaped exactly once."""

from __future__ import annotations

from markupsafe import Markup

from harness.report.html.clean import clean


def tag(name: str, *children: str, **attributes: str | float) -> Markup:
    """Return an element.

    Args:
        name: of the element.
        children: `Markup` as it is, other text escaped.
        attributes: `_` in a name stands for `-`, and one at its end is dropped (`class_`).
    """
    told = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _value(value))
        for key, value in attributes.items()
    )
    inner = Markup("").join(
        child if isinstance(child, Markup) else clean(child) for child in children
    )
    # Only the names of elements and attributes come unescaped, and they are the program's own.
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), told, inner)


def picture(label: str, width: float, height: float, *children: Markup) -> Markup:
    """Return an inline picture; widths and heights are CSS pixels.

    Args:
        label: says what it shows to those who do not see it.
        width: of the picture.
        height: of the picture.
        children: what is in it.
    """
    return tag(
        "svg",
        *children,
        role="img",
        aria_label=label,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
    )


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return clean(value)
    return f"{value:.1f}".removesuffix(".0")
