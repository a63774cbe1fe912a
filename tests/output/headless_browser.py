"""A headless Chromium driven through the DevTools protocol over its pipe (file descriptors 3 and 4): no package needed."""
import base64
import json
import os
import shutil
import struct
import subprocess
import time
import zlib


def find_browser():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    return None


def decode_png(data):
    """Width, height and pixels of a PNG with 8 bits a channel, as browsers write them."""
    place, packed = 8, b""
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place:place + 8])
        content = data[place + 8:place + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colours = struct.unpack(">IIBB", content[:10])
            assert depth == 8 and colours in (2, 6), (depth, colours)
        elif kind == b"IDAT":
            packed += content
        place += 12 + length
    channels = 3 if colours == 2 else 4
    rows = memoryview(zlib.decompress(packed))
    stride, above, pixels = width * channels, bytearray(width * channels), []
    for row in range(height):
        kind = rows[row * (stride + 1)]
        line = bytearray(rows[row * (stride + 1) + 1:(row + 1) * (stride + 1)])
        for k in range(stride):
            left = line[k - channels] if k >= channels else 0
            corner = above[k - channels] if k >= channels else 0
            if kind == 1:
                line[k] = line[k] + left & 255
            elif kind == 2:
                line[k] = line[k] + above[k] & 255
            elif kind == 3:
                line[k] = line[k] + (left + above[k]) // 2 & 255
            elif kind == 4:
                guess = left + above[k] - corner
                nearest = min((left, above[k], corner), key=lambda value: abs(guess - value))
                line[k] = line[k] + nearest & 255
        pixels += zip(*(line[channel::channels] for channel in range(3)))
        above = line
    return width, height, pixels


class BrowserError(Exception):
    """What the browser answered instead of a result."""


class Browser:
    """One page. Use as a context manager; `downloads` is the folder that saved files go to."""

    def __init__(self, program, profile, downloads, webgl=True):
        self.to_read, write_end = os.pipe()
        read_end, self.to_write = os.pipe()
        command = [program, "--headless=new", "--no-sandbox", "--disable-gpu-sandbox", "--use-gl=angle", "--use-angle=swiftshader",
                   "--enable-unsafe-swiftshader" if webgl else "--disable-3d-apis", f"--user-data-dir={profile}", "--remote-debugging-pipe", "--hide-scrollbars"]
        # Chromium reads commands from descriptor 3 and writes answers to 4.
        shell = ["sh", "-c", f'exec "$@" 3<&{read_end} 4>&{write_end}', "sh", *command]
        self.process = subprocess.Popen(shell, pass_fds=(read_end, write_end), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(read_end)
        os.close(write_end)
        self.buffer = b""
        self.number = 0
        self.session = None
        self.events = []
        self.downloads = downloads
        target = next(one for one in self.call("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=20)
        os.close(self.to_read)
        os.close(self.to_write)

    def _message(self):
        while b"\0" not in self.buffer:
            part = os.read(self.to_read, 1 << 20)
            if not part:
                raise BrowserError("the browser closed its pipe")
            self.buffer += part
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to_write, data):]
        while True:
            answer = self._message()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def picture_of(self, selector):
        """Width, height and the pixels (red, green, blue) of the first such element as it stands on the screen."""
        box = json.loads(self.evaluate(f"""(() => {{ const element = document.querySelector({json.dumps(selector)});
            element.scrollIntoView({{block: "center"}});
            const box = element.getBoundingClientRect();
            return JSON.stringify({{x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height, scale: 1}}); }})()"""))
        answer = self.call("Page.captureScreenshot", format="png", clip=box)
        return decode_png(base64.b64decode(answer["data"]))

    def evaluate(self, expression):
        """Value of a JavaScript expression in the page; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def wait_for(self, expression, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = self.evaluate(expression)
            if value:
                return value
            time.sleep(0.05)
        raise BrowserError(f"not within {seconds} s: {expression}")

    def view(self, width, height, dark=False, phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, address):
        self.call("Page.navigate", url="about:blank")   # another fragment alone would not load the page again
        self.call("Page.navigate", url=address)

    def screenshot(self, file, whole_page=False):
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole_page)
        file.write_bytes(base64.b64decode(answer["data"]))

    def saved(self, name, seconds=120):
        """Content of a file that the page has saved."""
        path = self.downloads / name
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if path.exists() and not list(self.downloads.glob("*.crdownload")):
                return path.read_bytes()
            time.sleep(0.05)
        raise BrowserError(f"{name} was not saved; there are {[one.name for one in self.downloads.iterdir()]}")

    def complaints(self):
        """Errors of scripts and of the content security policy."""
        found = []
        for event in self.events:
            if event["method"] == "Runtime.exceptionThrown":
                found.append(json.dumps(event["params"]["exceptionDetails"]))
            if event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                found.append(event["params"]["entry"]["text"])
            if event["method"] == "Runtime.consoleAPICalled" and event["params"]["type"] == "error":
                found.append(json.dumps(event["params"]["args"]))
        return found
