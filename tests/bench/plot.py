# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two kinds of plot as SVG, by hand: bars in groups, and lines over a number. Knows nothing of what it shows."""
import math

COLOURS = ["#888888", "#1f77b4", "#ff7f0e", "#2ca02c"]
HEAD = ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" font-family="sans-serif" font-size="12">'
        '<rect width="{w}" height="{h}" fill="white"/>')


def text(x, y, words, anchor="middle", size=12):
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{words}</text>'


def steps(top):
    """A few round numbers up to top."""
    magnitude = 10.0 ** math.floor(math.log10(top / 3))
    step = max(f for f in (1, 2, 5) if f * magnitude <= top / 3) * magnitude
    return [n * step for n in range(int(top / step) + 1)]


def frame(x, y, w, h, top, title, unit):
    parts = [text(x + w / 2, y - 10, title, size=13)]
    for mark in steps(top):
        at = y + h - h * mark / top
        parts.append(f'<line x1="{x}" y1="{at:.1f}" x2="{x + w}" y2="{at:.1f}" stroke="#dddddd"/>')
        parts.append(text(x - 5, at + 4, f"{mark:g}", "end", 10))
    parts.append(text(x - 40, y - 10, unit, "start", 10))
    return parts


def bars(x, y, w, h, title, unit, groups, names):
    """groups: (label, values); a value of None leaves its place empty."""
    top = 1.15 * max(v for _, values in groups for v in values if v is not None) or 1
    parts = frame(x, y, w, h, top, title, unit)
    wide = w / len(groups)
    for g, (label, values) in enumerate(groups):
        each = 0.8 * wide / len(values)
        for i, value in enumerate(values):
            if value is None:
                continue
            left, high = x + g * wide + 0.1 * wide + i * each, h * value / top
            parts.append(f'<rect x="{left:.1f}" y="{y + h - high:.1f}" width="{each - 2:.1f}" height="{high:.1f}" '
                         f'fill="{COLOURS[i]}"/>')
            parts.append(text(left + each / 2 - 1, y + h - high - 3, f"{value:.{0 if value >= 100 else 1}f}", size=9))
        parts.append(text(x + (g + 0.5) * wide, y + h + 15, label, size=11))
    for i, name in enumerate(names):
        parts.append(f'<rect x="{x + i * 150}" y="{y + h + 25}" width="10" height="10" fill="{COLOURS[i]}"/>')
        parts.append(text(x + i * 150 + 15, y + h + 34, name, "start", 11))
    return parts


def lines(x, y, w, h, title, unit, points, names):
    """points: for each name a list of (x, y)."""
    far = max(px for series in points for px, _ in series)
    top = 1.15 * max(py for series in points for _, py in series) or 1
    parts = frame(x, y, w, h, top, title, unit)
    for i, series in enumerate(points):
        path = " ".join(f"{x + w * px / far:.1f},{y + h - h * py / top:.1f}" for px, py in series)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[i + 1]}" stroke-width="2"/>')
        parts.append(text(x + 5, y + 15 + 14 * i, names[i], "start", 11))
    for mark in steps(far):
        parts.append(text(x + w * mark / far, y + h + 15, f"{mark:g}", size=10))
    return parts


def write(path, width, height, *panels):
    with open(path, "w", encoding="utf-8") as out:
        out.write(HEAD.format(w=width, h=height) + "\n" + "\n".join(p for panel in panels for p in panel) + "\n</svg>\n")
