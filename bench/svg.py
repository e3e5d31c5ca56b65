"""svg.py: two pictures for the benchmarks, written by hand: bars and lines.

Both give the text of an SVG with a title, axes with units, a grid and a legend; they read well at
800 pixels, on a white or a dark page, and in print, where the markers tell the lines apart."""

import math
from xml.sax.saxutils import escape

WIDTH = 800
RIGHT = 130         # for the words behind a bar
COLOURS = ["#1f6f8b", "#d1603d", "#6a994e", "#8d6a9f", "#b8860b", "#555555"]
STYLE = ("<style>text{font:13px sans-serif;fill:#222}.title{font-size:16px;font-weight:bold}"
         ".small{font-size:11px;fill:#555}.grid{stroke:#ddd}.axis{stroke:#444}"
         ".target{stroke:#b00020;stroke-width:3}</style>")


def number(value):
    """As short as three digits allow."""
    if value == 0:
        return "0"
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            divisor = 1e3 if suffix == "k" else limit
            return "%.3g%s" % (value / divisor, suffix)
    return "%d" % round(value) if abs(value) >= 100 else "%.3g" % value


def text(x, y, words, anchor="start", kind=""):
    return '<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>' % (
        x, y, anchor, ' class="%s"' % kind if kind else "", escape(words))


def line(x1, y1, x2, y2, kind):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>' % (x1, y1, x2, y2, kind)


def document(height, title, parts):
    return "\n".join(
        ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d">'
         % (WIDTH, height, WIDTH, height), STYLE,
         '<rect width="100%" height="100%" fill="#fff"/>', text(16, 26, title, kind="title")]
        + parts + ["</svg>", ""])


class Scale:
    """From values to pixels, with round ticks; logarithmic if the values span much."""

    def __init__(self, values, first, last, is_log):
        values = [value for value in values if value > 0] or [1]
        self.first, self.last, self.is_log = first, last, is_log
        if is_log:
            self.low = math.floor(math.log10(min(values)))
            self.high = max(math.ceil(math.log10(max(values))), self.low + 1)
            self.ticks = [10.0 ** n for n in range(self.low, self.high + 1)]
        else:
            step = 10 ** math.floor(math.log10(max(values)))
            for part in (5, 2.5, 2):
                if max(values) / (step / part) <= 8:
                    step /= part
                    break
            self.low, self.high = 0, math.ceil(max(values) * 1.02 / step) * step
            self.ticks = [n * step for n in range(round(self.high / step) + 1)]

    def at(self, value):
        if self.is_log:
            value = math.log10(value) if value > 0 else self.low
        part = (value - self.low) / (self.high - self.low)
        return self.first + min(max(part, 0), 1) * (self.last - self.first)


def spans_much(values):
    values = [value for value in values if value > 0]
    return bool(values) and max(values) / min(values) > 50


def bars(title, unit, rows):
    """rows: (name, median, least, greatest, target or 0). A whisker goes from the least to the
    greatest; a red line across the bar is the target."""
    left, top, pitch = 330, 48, 26
    bottom = top + pitch * len(rows)
    values = [row[i] for row in rows for i in (1, 3, 4)]
    scale = Scale(values, left, WIDTH - RIGHT,
                  spans_much([value for row in rows for value in (row[1], row[3])]))
    parts = []
    for tick in scale.ticks:
        x = scale.at(tick)
        parts += [line(x, top, x, bottom, "grid"),
                  text(x, bottom + 16, number(tick), "middle", "small")]
    for i, (name, median, least, greatest, target) in enumerate(rows):
        y = top + pitch * i
        middle = y + pitch / 2
        parts += ['<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>' % (
                      left, y + 4, max(scale.at(median) - left, 1), pitch - 8, COLOURS[0]),
                  text(left - 8, middle + 4, name, "end")]
        end = scale.at(median)
        if greatest > least:
            end = max(end, scale.at(greatest))
            parts += [line(scale.at(least), middle, scale.at(greatest), middle, "axis"),
                      line(scale.at(least), middle - 4, scale.at(least), middle + 4, "axis"),
                      line(scale.at(greatest), middle - 4, scale.at(greatest), middle + 4,
                           "axis")]
        words = number(median)
        if target:
            x = scale.at(target)
            parts.append(line(x, y, x, y + pitch, "target"))
            words += " (target %s)" % number(target)
            end = max(end, x)
        parts.append(text(end + 6, middle + 4, words))
    parts += [line(left, top, left, bottom, "axis"),
              line(left, bottom, WIDTH - RIGHT, bottom, "axis"),
              text((left + WIDTH - RIGHT) / 2, bottom + 34,
                   unit + (", logarithmic" if scale.is_log else ""), "middle")]
    return document(bottom + 48, title, parts)


def marker(x, y, i, colour):
    """A shape of its own for each line."""
    shapes = ["M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0", "M-4 -4h8v8h-8z", "M0 -5L5 4H-5z",
              "M0 -5L5 0L0 5L-5 0z", "M-5 -4H5L0 5z", "M-4 -1h8v2h-8z"]
    return '<path d="%s" transform="translate(%.1f %.1f)" fill="%s"/>' % (
        shapes[i % len(shapes)], x, y, colour)


def lines(title, x_name, y_name, series):
    """series: {name: [(x, y), ...]}; both axes are logarithmic where the values span much."""
    left, top, right, bottom = 80, 48, WIDTH - 190, 380
    points = [point for line_ in series.values() for point in line_]
    xs = Scale([x for x, _ in points], left, right, spans_much([x for x, _ in points]))
    ys = Scale([y for _, y in points], bottom, top, spans_much([y for _, y in points]))
    parts = []
    for tick in xs.ticks:
        parts += [line(xs.at(tick), top, xs.at(tick), bottom, "grid"),
                  text(xs.at(tick), bottom + 18, number(tick), "middle", "small")]
    for tick in ys.ticks:
        parts += [line(left, ys.at(tick), right, ys.at(tick), "grid"),
                  text(left - 6, ys.at(tick) + 4, number(tick), "end", "small")]
    for i, (name, line_) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        path = " ".join("%.1f,%.1f" % (xs.at(x), ys.at(y)) for x, y in line_)
        parts.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>'
                     % (path, colour))
        parts += [marker(xs.at(x), ys.at(y), i, colour) for x, y in line_]
        parts += [marker(right + 18, top + 10 + 22 * i, i, colour),
                  text(right + 30, top + 14 + 22 * i, name)]
    parts += [line(left, top, left, bottom, "axis"), line(left, bottom, right, bottom, "axis"),
              text((left + right) / 2, bottom + 38,
                   x_name + (", logarithmic" if xs.is_log else ""), "middle"),
              text(left - 60, top - 10, y_name + (", logarithmic" if ys.is_log else ""),
                   kind="small")]
    return document(bottom + 52, title, parts)
