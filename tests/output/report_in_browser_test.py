"""Opens a report in headless Chromium and reads back what Plotly drew.

usage: report_in_browser_test.py WRITE_TEST_REPORT   (exit status 77: skipped)
"""
import html
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77


def browser():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    return None


def rendered(program, page, fragment, profile):
    """DOM after the scripts have run, and what the console said."""
    command = [program, "--headless=new", "--no-sandbox", "--disable-gpu-sandbox", "--use-gl=angle", "--use-angle=swiftshader",
               "--enable-unsafe-swiftshader", "--enable-logging=stderr", f"--user-data-dir={profile}",
               "--virtual-time-budget=20000", "--window-size=1200,900", "--dump-dom", f"file://{page}{fragment}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=80, check=False)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def drawn_figures(dom):
    match = re.search(r'<output id="drawn"[^>]*>(.*?)</output>', dom, re.S)
    assert match and match.group(1), "the page did not finish drawing"
    return json.loads(html.unescape(match.group(1)))["figures"]


def steps(low, high, count):
    return [low + (high - low) * i / (count - 1) for i in range(count)]


def close(a, b):
    return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12)


def check_linear(figures):
    plane = [1 + x + 10 * y * y for y in steps(-1, 1, 5) for x in steps(-1, 1, 7)]
    gaps = {3, 8, 20}   # NaN, infinite, not computed
    plane_sum = sum(z for k, z in enumerate(plane) if k not in gaps)
    other_sum = sum(2 + x * y for y in steps(0, 1, 3) for x in steps(-1, 1, 4))
    line_sum = sum(x * x for x in steps(-1, 1, 9))
    expected = [("surface", 0, 35, 3, plane_sum), ("contour", 0, 35, 3, plane_sum), ("surface", 1, 12, 0, other_sum),
                ("contour", 1, 12, 0, other_sum), ("line", 2, 9, 0, line_sum)]
    assert len(figures) == len(expected), figures
    for figure, (kind, run, points, missing, total) in zip(figures, expected):
        assert (figure["kind"], figure["run"], figure["points"], figure["gaps"]) == (kind, run, points, missing), figure
        assert close(figure["sum"], total), (figure, total)
    assert close(figures[0]["first"], plane[0]) and close(figures[0]["last"], plane[-1]), figures[0]


def check_logarithmic_test_split(figures):
    """The address asks for the test split, logarithmic: 1.5 loss + 0.25, no gaps there."""
    losses = [1.5 * (1 + x + 10 * y * y) + 0.25 for y in steps(-1, 1, 5) for x in steps(-1, 1, 7)]
    assert figures[0]["gaps"] == 0 and close(figures[0]["sum"], sum(map(math.log10, losses))), figures[0]


def check_inert(dom, console):
    assert "document.title='hit'" in html.unescape(dom), "the hostile title is not shown"
    assert "<title>lossmap report</title>" in dom, "a title ran as a script"
    assert not re.search(r"<img[^>]*onerror", dom), "a title became an element"
    bad = [line for line in console if "Content Security Policy" in line or "Uncaught" in line or "Error" in line]
    assert not bad, bad


def main():
    program = browser()
    if program is None:
        print("skipped: no chromium in PATH")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        page = os.path.join(folder, "report.html")
        written = subprocess.run([sys.argv[1], page], capture_output=True, text=True, check=False)
        if written.returncode != 0 and "plotly.min.js" in written.stderr:
            print("skipped:", written.stderr.strip())
            return SKIPPED
        assert written.returncode == 0, written.stderr
        dom, console = rendered(program, page, "", os.path.join(folder, "profile"))
        check_linear(drawn_figures(dom))
        check_inert(dom, console)
        dom, console = rendered(program, page, "#split=test&log=1", os.path.join(folder, "profile"))
        check_logarithmic_test_split(drawn_figures(dom))
        check_inert(dom, console)
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
